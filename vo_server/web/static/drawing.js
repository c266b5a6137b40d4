// Plots of the rows a page has: how often, one against another, the sky. The same look as those the server draws.

const NS = "http://www.w3.org/2000/svg";
const WIDTH = 1440, HEIGHT = 720, LEFT = 150, RIGHT = 24, TOP = 24, BOTTOM = 96, BINS = 48;

function element(name, attributes, ...children) {
    const node = document.createElementNS(NS, name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    node.append(...children);
    return node;
}

function drawing(title, parts) {
    return element("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": title }, ...parts);
}

function label(x, y, words, anchor = "middle", turned = false) {
    return element("text", { x, y, "text-anchor": anchor, ...(turned ? { transform: `rotate(-90 ${x} ${y})` } : {}) }, words);
}

function axis(values, name, start, length, straight = false) {
    let low = Infinity, high = -Infinity;
    for (const value of values) { low = Math.min(low, value); high = Math.max(high, value); }
    const log = !straight && low > 0 && high / low >= 1000 && !/\[(deg|rad|d|MJD)\]$/.test(name);
    const scale = (value) => (log ? Math.log10(value) : value);
    let [from, to] = [scale(low), scale(high)];
    if (from === to) { from -= 0.5; to += 0.5; }
    const part = (value) => (scale(value) - from) / (to - from);
    const rough = (to - from) / 6, power = 10 ** Math.floor(Math.log10(rough));
    let step = [1, 2, 5, 10].map((factor) => factor * power).find((one) => one >= rough * 0.999);
    if (log) step = Math.max(1, Math.ceil(step));
    const ticks = [];
    for (let n = Math.ceil(from / step - 1e-9); n <= Math.floor(to / step + 1e-9); n += 1) {
        const value = n * step;
        const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
        ticks.push([start + ((value - from) / (to - from)) * length,
            log ? String(Number((10 ** value).toPrecision(3))) : digits <= 6 && Math.abs(value) < 1e7 ? value.toFixed(digits) : value.toPrecision(4)]);
    }
    return { name, part, at: (value) => start + part(value) * length, ticks, start };
}

function frame(title, across, up, parts) {
    const bottom = HEIGHT - BOTTOM;
    return drawing(title, [
        element("path", { class: "line", d: `M${LEFT} ${TOP}V${bottom}H${WIDTH - RIGHT}` }),
        ...across.ticks.flatMap(([x, words]) => [element("path", { class: "line fine", d: `M${x} ${TOP}V${bottom}` }), label(x, bottom + 32, words)]),
        ...up.ticks.flatMap(([y, words]) => [element("path", { class: "line fine", d: `M${LEFT} ${y}H${WIDTH - RIGHT}` }), label(LEFT - 14, y + 8, words, "end")]),
        label((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 16, across.name),
        label(30, (TOP + bottom) / 2, up.name, "middle", true),
        ...parts,
    ]);
}

export function histogram(values, name) {
    const known = values.filter(Number.isFinite);
    if (!known.length) return null;
    const across = axis(known, name, LEFT, WIDTH - LEFT - RIGHT);
    const counts = new Array(BINS).fill(0);
    for (const value of known) counts[Math.min(BINS - 1, Math.floor(across.part(value) * BINS))] += 1;
    const bottom = HEIGHT - BOTTOM;
    const up = axis([0, ...counts], "rows", bottom, -(bottom - TOP), true);
    const wide = (WIDTH - LEFT - RIGHT) / BINS;
    const bars = counts.map((count, n) => (count ? `M${LEFT + n * wide} ${bottom}V${up.at(count)}h${wide - 2}V${bottom}z` : "")).join("");
    return frame(`How often which values of ${name} occur`, across, up, [element("path", { class: "ink", "fill-opacity": 0.8, d: bars })]);
}

export function against(xs, ys, names) {
    const pairs = xs.map((x, n) => [x, ys[n]]).filter(([x, y]) => Number.isFinite(x) && Number.isFinite(y));
    if (!pairs.length) return null;
    const bottom = HEIGHT - BOTTOM;
    const across = axis(pairs.map(([x]) => x), names[0], LEFT, WIDTH - LEFT - RIGHT);
    const up = axis(pairs.map(([, y]) => y), names[1], bottom, -(bottom - TOP));
    const path = pairs.map(([x, y]) => `M${Math.round(across.at(x))} ${Math.round(up.at(y))}h0`).join("");
    return frame(`${names[1]} against ${names[0]}`, across, up,
        [element("path", { class: "dots", "stroke-width": pairs.length < 1000 ? 9 : 6, "stroke-opacity": 0.75, d: path })]);
}

// Mollweide's projection, right ascension 0 in the middle, growing to the left.
export function sky(ras, decs) {
    const half = WIDTH / 2 - 12, tall = HEIGHT / 2 - 12;
    const place = (ra, dec) => {
        let angle = dec * Math.PI / 180;
        const sine = Math.sin(angle);
        for (let n = 0; n < 12; n += 1) {
            const slope = 2 + 2 * Math.cos(2 * angle);
            if (slope < 1e-9) break;
            angle -= (2 * angle + Math.sin(2 * angle) - Math.PI * sine) / slope;
        }
        const lon = ((((ra + 180) % 360) + 360) % 360) - 180;
        return [Math.round(WIDTH / 2 - (lon / 180) * Math.cos(angle) * half), Math.round(HEIGHT / 2 - Math.sin(angle) * tall)];
    };
    const line = (points) => points.map(([ra, dec], n) => `${n ? "L" : "M"}${place(ra, dec).join(" ")}`).join("");
    const steps = Array.from({ length: 31 }, (_, n) => -90 + 6 * n);
    const meridians = [-120, -60, 0, 60, 120].map((ra) => line(steps.map((dec) => [ra, dec])));
    const parallels = [-60, -30, 0, 30, 60].map((dec) => line([[179.99, dec], [0, dec], [-179.99, dec]]));
    const dots = ras.map((ra, n) => [ra, decs[n]]).filter(([ra, dec]) => Number.isFinite(ra) && Math.abs(dec) <= 90);
    if (!dots.length) return null;
    const ellipse = (kind) => element("ellipse", { cx: WIDTH / 2, cy: HEIGHT / 2, rx: half, ry: tall, class: kind });
    return drawing("Where the rows lie on the sky", [
        ellipse("back"),
        element("path", { class: "line fine", d: [...meridians, ...parallels].join("") }),
        element("path", { class: "dots", "stroke-width": dots.length < 500 ? 10 : 6, "stroke-opacity": 0.75, d: dots.map(([ra, dec]) => `M${place(ra, dec).join(" ")}h0`).join("") }),
        ellipse("line"),
        ...[120, 60, 0, 300, 240].map((ra) => { const [x, y] = place(ra, 0); return label(x + 6, y - 6, `${ra}°`, "start"); }),
    ]);
}

// Rows as a table that can be sorted and leafed through, and drawn.

import { against, histogram, sky } from "./drawing.js";

const PAGE = 50;
const NUMBERS = new Set(["unsignedByte", "short", "int", "long", "float", "double"]);

export function make(name, attributes = {}, ...children) {
    const node = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    node.append(...children);
    return node;
}

const isNumber = (column) => NUMBERS.has(column.datatype) && !column.arraysize;
const value = (cell) => (cell === null || cell === "" ? NaN : Number(cell));
const titled = (column) => (column.unit ? `${column.name} [${column.unit}]` : column.name);
const plural = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;

// Shows an answer of /tap/sync in JSON in `place`.
export function show(place, answer) {
    const { metadata: columns, data: rows } = answer;
    const warnings = answer.infos.filter((info) => info.name === "warning").map((info) => make("p", { class: "notice" }, info.value));
    place.replaceChildren(make("h2", { tabindex: "-1" }, plural(rows.length, "row")), ...warnings);
    if (answer.overflow) place.append(make("p", {}, "These are the first; there are more. Download them, or run a job."));
    if (!rows.length) {
        place.append(make("p", {}, "The query is right, and nothing fits it. Try a larger radius, or fewer conditions."));
        return;
    }
    place.append(...plots(columns, rows), table(columns, rows));
}

function table(columns, rows) {
    let order = rows.map((_, n) => n), page = 0, sorted = -1, down = false;
    const body = make("tbody"), status = make("p", { role: "status" });
    const heads = columns.map((column, n) => {
        const button = make("button", { type: "button", class: "sort", title: column.description ?? "" }, column.name);
        button.addEventListener("click", () => {
            down = sorted === n && !down;
            sorted = n;
            order = sortedBy(rows, n, isNumber(column), down);
            page = 0;
            heads.forEach((head, at) => head.setAttribute("aria-sort", at === n ? (down ? "descending" : "ascending") : "none"));
            fill();
        });
        return make("th", { scope: "col", "aria-sort": "none", ...(isNumber(column) ? { class: "number" } : {}) }, button, make("small", {}, column.unit ?? ""));
    });
    const back = make("button", { type: "button" }, "Back"), on = make("button", { type: "button" }, "On");
    back.addEventListener("click", () => { page -= 1; fill(); });
    on.addEventListener("click", () => { page += 1; fill(); });
    function fill() {
        const shown = order.slice(page * PAGE, (page + 1) * PAGE);
        body.replaceChildren(...shown.map((row) => make("tr", {}, ...rows[row].map((cell, n) => shownCell(cell, columns[n])))));
        status.textContent = `Rows ${page * PAGE + 1} to ${page * PAGE + shown.length} of ${rows.length.toLocaleString("en")}`;
        back.disabled = page === 0;
        on.disabled = (page + 1) * PAGE >= rows.length;
    }
    fill();
    const grid = make("table", { class: "rows" }, make("thead", {}, make("tr", {}, ...heads)), body);
    const scroll = make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Rows found" }, grid);
    const pages = make("div", { class: "row" }, ...(rows.length > PAGE ? [back, on] : []), status);
    return make("div", {}, scroll, pages);
}

function shownCell(cell, column) {
    const node = make("td", isNumber(column) ? { class: "number" } : {});
    if (cell === null) node.append(make("span", { class: "missing", title: "no value" }, "–"));
    else if (typeof cell === "string" && /^https?:\/\//.test(cell)) node.append(make("a", { href: cell, rel: "noreferrer" }, cell.split("/").pop() || cell));
    else node.textContent = Array.isArray(cell) ? cell.map((one) => one ?? "–").join(" ") : String(cell);
    return node;
}

// Row numbers in the order of a column; those without a value come last.
export function sortedBy(rows, n, numeric, down) {
    const sign = down ? -1 : 1;
    const compare = numeric ? (a, b) => Number(a) - Number(b) : (a, b) => String(a).localeCompare(String(b), "en", { numeric: true });
    return rows.map((_, at) => at).sort((a, b) => {
        const [left, right] = [rows[a][n], rows[b][n]];
        if (left === null || right === null) return (left === null) - (right === null);
        return sign * compare(left, right);
    });
}

function plots(columns, rows) {
    const numeric = columns.map((column, n) => ({ column, n })).filter(({ column }) => isNumber(column));
    if (!numeric.length) return [];
    const find = (ucd) => numeric.find(({ column }) => column.ucd?.toLowerCase().startsWith(ucd));
    const [ra, dec] = [find("pos.eq.ra"), find("pos.eq.dec")];
    const options = () => numeric.map(({ column, n }) => make("option", { value: n }, column.name));
    const x = make("select", { id: "plot-x" }, ...options());
    const y = make("select", { id: "plot-y" }, make("option", { value: "" }, "(how often)"), ...options());
    const figure = make("figure", { class: "plot" });
    const cells = (n) => rows.map((row) => value(row[n]));
    const draw = (svg) => figure.replaceChildren(svg ?? make("p", {}, "There is nothing to draw: these columns have no values together."));
    const button = make("button", { type: "button" }, "Draw");
    button.addEventListener("click", () => {
        const [a, b] = [columns[x.value], columns[y.value]];
        draw(b ? against(cells(x.value), cells(y.value), [titled(a), titled(b)]) : histogram(cells(x.value), titled(a)));
    });
    const map = make("button", { type: "button" }, "On the sky");
    map.addEventListener("click", () => draw(sky(cells(ra.n), cells(dec.n))));
    const controls = make("div", { class: "row" },
        make("p", {}, make("label", { for: "plot-x" }, "Plot"), x),
        make("p", {}, make("label", { for: "plot-y" }, "against"), y),
        make("p", {}, button), ...(ra && dec ? [make("p", {}, map)] : []));
    return [controls, figure];
}

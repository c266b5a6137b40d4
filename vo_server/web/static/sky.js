// Inside the frame of /sky: Aladin Lite with the layers that the address of the frame asks for.

"use strict";

const COLOURS = { points: "#ffb000", footprints: "#5ec8ff", moc: "#7fd8a5" };

function say(words) {
    document.getElementById("state").textContent = words;
}

function escaped(text) {
    const node = document.createElement("span");
    node.textContent = text;
    return node.innerHTML;
}

// Aladin Lite is offered as a module (npm) and as a script that makes `A` (CDS).
async function load(url) {
    const found = await import(url).catch(() => null);
    if (found?.default) return found.default;
    if (!globalThis.A) {
        await new Promise((done) => {
            const script = Object.assign(document.createElement("script"), { src: url, charset: "utf-8", onload: done, onerror: done });
            document.head.append(script);
        });
    }
    return globalThis.A;
}

async function begin() {
    const A = await load(document.body.dataset.aladin);
    if (!A) {
        say("Aladin Lite could not be loaded. The maps on the other pages need nothing from elsewhere.");
        return;
    }
    const loading = fetch(`${document.body.dataset.here}/sky/layers.json${location.search}`).then((reply) => reply.json());
    await A.init;
    const layers = await loading;
    const first = layers.target ?? layers.points[0];
    const wide = !layers.target || layers.moc;
    const aladin = A.aladin("#sky", {
        target: first ? `${first[0]} ${first[1]}` : "0 0",
        fov: wide ? 180 : 15,
        projection: wide ? "MOL" : "SIN",
        cooFrame: "ICRS",
        showReticle: false,
        showFrame: false,
    });
    if (layers.moc) aladin.addMOC(A.MOCFromJSON(layers.moc, { name: "Coverage", color: COLOURS.moc, opacity: 0.35, lineWidth: 1 }));
    if (layers.footprints.length) {
        const overlay = A.graphicOverlay({ name: "Footprints", color: COLOURS.footprints, lineWidth: 2 });
        aladin.addOverlay(overlay);
        layers.footprints.forEach((corners) => overlay.add(A.polygon(corners)));
    }
    if (layers.points.length) {
        const catalogue = A.catalog({ name: layers.name, color: COLOURS.points, sourceSize: 10, onClick: "showPopup" });
        aladin.addCatalog(catalogue);
        catalogue.addSources(layers.points.map(([ra, dec], n) => A.source(ra, dec, { name: escaped(layers.labels[n] ?? `${ra} ${dec}`) })));
    }
    say("");
    document.body.dataset.shown = `${layers.points.length} ${layers.footprints.length} ${layers.moc ? 1 : 0}`;
}

begin().catch((error) => say(`Aladin Lite could not show this: ${error.message ?? error}`));

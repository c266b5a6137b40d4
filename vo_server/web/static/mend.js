// Aladin Lite expects an ordinary page; these lines make up for what the frame does not give it.
//
// It writes style elements and style attributes, which a strict policy does not apply. What they say is applied through the
// object model, which the policy leaves to scripts: so the policy needs no 'unsafe-inline'.

"use strict";

const adopted = new Map();

function adopt(style) {
    let sheet = adopted.get(style);
    if (!sheet) {
        sheet = new CSSStyleSheet();
        adopted.set(style, sheet);
        document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
    }
    sheet.replaceSync(style.textContent);
}

function mend(node) {
    if (node.nodeType !== Node.ELEMENT_NODE) return;
    for (const one of [node, ...node.querySelectorAll("style, [style]")]) {
        if (one.tagName === "STYLE") adopt(one);
        else if (one.getAttribute("style") && !one.style.length) one.style.cssText = one.getAttribute("style");
    }
}

new MutationObserver((changes) => {
    for (const change of changes) {
        const style = change.target.closest?.("style") ?? change.target.parentElement?.closest("style");
        if (style) adopt(style);
        change.addedNodes.forEach(mend);
    }
}).observe(document, { childList: true, subtree: true, characterData: true });

// A frame without an origin keeps nothing: what Aladin Lite would remember is forgotten with the page.
for (const name of ["localStorage", "sessionStorage"]) {
    const kept = new Map();
    Object.defineProperty(window, name, {
        value: {
            getItem: (key) => kept.get(String(key)) ?? null,
            setItem: (key, value) => { kept.set(String(key), String(value)); },
            removeItem: (key) => { kept.delete(String(key)); },
            clear: () => { kept.clear(); },
            key: (n) => [...kept.keys()][n] ?? null,
            get length() { return kept.size; },
        },
    });
}

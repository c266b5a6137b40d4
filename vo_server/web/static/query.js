// The editor of /query: colours, completion, mistakes marked where they are, rows without leaving the page, history.

import { choices, coloured, offset, tablesIn, wordBefore } from "./adql.js";
import { make, show } from "./results.js";
import { offer } from "./samp.js";

const MOST_ROWS = 5000;
const CHECK_MS = 400;
const HISTORY = "vo-queries";
const MOST_REMEMBERED = 30;

const form = document.getElementById("ask");
const { here, base } = form.dataset;
const text = document.getElementById("query");
const fault = document.getElementById("fault");
const results = document.getElementById("results");
const editor = text.closest(".editor");
const back = editor.insertBefore(make("pre", { "aria-hidden": "true" }), text);
const list = editor.appendChild(make("ul", { class: "choices", role: "listbox", id: "choices", "aria-label": "Completions", hidden: "" }));

let words = { tables: [], list: [], functions: new Set(), reserved: new Set() };
let wrong = null;
let columns = [];
let running = null;
let offered = [], chosen = 0;
const known = new Map();

function paint() {
    back.replaceChildren(coloured(text.value, words, wrong));
    back.scrollTop = text.scrollTop;
}

async function loadWords() {
    const loaded = await (await fetch(`${here}/query/words.json`)).json();
    words = {
        tables: loaded.tables,
        list: [...loaded.functions, ...loaded.reserved.map((name) => ({ name, title: "" }))],
        functions: new Set(loaded.functions.map((one) => one.name.toUpperCase())),
        reserved: new Set(loaded.reserved),
    };
    paint();
    loadColumns();
}

async function loadColumns() {
    const tables = tablesIn(text.value, words.tables).slice(0, 8);
    const loads = tables.map((table) => {
        if (!known.has(table.full_name)) {
            known.set(table.full_name, fetch(`${here}/query/columns.json?table=${encodeURIComponent(table.full_name)}`)
                .then((reply) => (reply.ok ? reply.json() : { columns: [] })).then((answer) => answer.columns));
        }
        return known.get(table.full_name);
    });
    columns = (await Promise.all(loads)).flat();
}

// What is wrong, in words below the editor and as a mark in it.
function tell(told) {
    wrong = told?.line ? { at: offset(text.value, told.line, told.column), length: told.length } : null;
    paint();
    text.toggleAttribute("aria-invalid", Boolean(told));
    if (told) text.setAttribute("aria-invalid", "true");
    if (!told) { fault.replaceChildren(); return; }
    const box = make("div", { class: "wrong" });
    const line = make("p");
    if (told.line) {
        const go = make("button", { type: "button", id: "go" }, `Line ${told.line}, column ${told.column}`);
        go.addEventListener("click", () => { text.focus(); text.setSelectionRange(wrong.at, wrong.at + wrong.length); });
        line.append(go, " ");
    }
    line.append(told.message);
    box.append(line);
    if (told.hint) box.append(make("p", {}, told.hint));
    fault.replaceChildren(box);
}

async function check() {
    const asked = text.value;
    if (!asked.trim()) return true;
    const reply = await fetch(`${here}/query/check`, { method: "POST", body: new URLSearchParams({ QUERY: asked }) });
    if (!reply.ok || text.value !== asked) return true;
    const told = await reply.json();
    tell(told.ok ? null : told);
    return told.ok;
}

let waiting = 0;
text.addEventListener("input", () => {
    wrong = null;
    paint();
    complete();
    clearTimeout(waiting);
    waiting = setTimeout(() => { check(); loadColumns(); }, CHECK_MS);
});
text.addEventListener("scroll", () => { back.scrollTop = text.scrollTop; });

function complete() {
    const word = text.selectionStart === text.selectionEnd ? wordBefore(text.value, text.selectionStart) : "";
    offered = (word.length > 1 || word.endsWith(".")) && !words.reserved.has(word.toUpperCase()) ? choices(word, columns, words) : [];
    chosen = 0;
    list.hidden = !offered.length;
    if (list.hidden) { text.removeAttribute("aria-activedescendant"); return; }
    list.replaceChildren(...offered.map((one, n) => {
        const item = make("li", { role: "option", id: `choice-${n}` }, one.text, make("small", {}, one.unit ? `${one.unit} ` : "", one.title ?? ""));
        item.addEventListener("mousedown", (event) => { event.preventDefault(); chosen = n; take(); });
        return item;
    }));
    mark();
    const start = document.createRange();
    const measured = make("span", {}, "\u200b");
    back.replaceChildren(text.value.slice(0, text.selectionStart - word.length), measured);
    start.selectNode(measured);
    const [at, frame] = [measured.getBoundingClientRect(), editor.getBoundingClientRect()];
    list.style.left = `${Math.max(0, Math.min(at.left - frame.left, frame.width - 240))}px`;
    list.style.top = `${at.bottom - frame.top + 2}px`;
    paint();
}

function mark() {
    [...list.children].forEach((item, n) => item.setAttribute("aria-selected", String(n === chosen)));
    list.children[chosen]?.scrollIntoView({ block: "nearest" });
    text.setAttribute("aria-activedescendant", `choice-${chosen}`);
}

function take() {
    const end = text.selectionStart;
    text.setRangeText(offered[chosen].text, end - wordBefore(text.value, end).length, end, "end");
    close();
    text.dispatchEvent(new Event("input"));
    close();
}

function close() {
    offered = [];
    list.hidden = true;
    text.removeAttribute("aria-activedescendant");
}

text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); run(); return; }
    if (!offered.length) return;
    const moves = { ArrowDown: 1, ArrowUp: offered.length - 1 };
    if (event.key in moves) chosen = (chosen + moves[event.key]) % offered.length;
    else if (event.key === "Tab" && !event.shiftKey) { event.preventDefault(); take(); return; }
    else if (event.key === "Escape") { close(); return; }
    else return;
    event.preventDefault();
    mark();
});
text.addEventListener("blur", close);

async function run() {
    close();
    running?.abort();
    running = new AbortController();
    const query = text.value;
    const stop = make("button", { type: "button" }, "Stop");
    stop.addEventListener("click", () => running.abort());
    results.replaceChildren(make("p", {}, make("progress", { "aria-label": "The query runs" }), " "), stop);
    try {
        if (!(await check())) { results.replaceChildren(); return; }
        const body = new URLSearchParams({ LANG: "ADQL", RESPONSEFORMAT: "json", MAXREC: MOST_ROWS, QUERY: query });
        const reply = await fetch(`${here}/tap/sync`, { method: "POST", body, signal: running.signal });
        if (!reply.ok) {
            const answer = await reply.json().catch(() => ({}));
            tell({ message: answer.error ?? `The server says ${reply.status}.` });
            results.replaceChildren();
            return;
        }
        show(results, await reply.json());
        remember(query);
        history.replaceState(null, "", `${here}/query?${new URLSearchParams({ QUERY: query })}#run`);
        const address = `${base}/tap/sync?${new URLSearchParams({ LANG: "ADQL", RESPONSEFORMAT: "votable/b2", QUERY: query })}`;
        offer(results, () => ({ url: address, name: query.slice(0, 60) }));
    } catch (error) {
        results.replaceChildren(make("p", {}, error.name === "AbortError" ? "Stopped." : "The connection broke before the last row. Try again, or run it as a job."));
    }
}

form.addEventListener("submit", (event) => {
    if (event.submitter && event.submitter.name !== "RUN") return;
    event.preventDefault();
    run();
});

function remembered() {
    try {
        const list = JSON.parse(localStorage.getItem(HISTORY) ?? "[]");
        return Array.isArray(list) ? list.filter((one) => typeof one === "string") : [];
    } catch {
        return [];
    }
}

function remember(query) {
    try {
        const kept = [query, ...remembered().filter((one) => one !== query)].slice(0, MOST_REMEMBERED);
        localStorage.setItem(HISTORY, JSON.stringify(kept));
    } catch { /* a browser that keeps nothing */ }
    showHistory();
}

const past = document.getElementById("history");
function showHistory() {
    const queries = remembered();
    past.hidden = !queries.length;
    past.querySelector("ol").replaceChildren(...queries.map((query) => make("li", {},
        make("a", { href: `${here}/query?${new URLSearchParams({ QUERY: query })}` }, make("code", {}, query.length > 160 ? `${query.slice(0, 160)} …` : query)))));
}
past.querySelector("button").addEventListener("click", () => { localStorage.removeItem(HISTORY); showHistory(); });

const share = document.getElementById("share");
share.hidden = !navigator.clipboard;
share.addEventListener("click", async () => {
    await navigator.clipboard.writeText(`${base}/query?${new URLSearchParams({ QUERY: text.value })}`);
    share.textContent = "Copied";
    setTimeout(() => { share.textContent = "Copy a link to it"; }, 1500);
});

text.setAttribute("aria-haspopup", "listbox");
text.setAttribute("aria-autocomplete", "list");
text.setAttribute("aria-controls", "choices");
editor.classList.add("live");
new ResizeObserver(() => { back.style.height = `${text.offsetHeight}px`; }).observe(text);
paint();
showHistory();
loadWords();
if (location.hash === "#run") run();
else if (fault.childElementCount) check();

// ADQL in colours, and what can follow where one types.

const TOKEN = /(--[^\n]*)|('(?:[^']|'')*'?)|("(?:[^"]|"")*"?)|(\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)|([A-Za-z_][A-Za-z0-9_]*)|(\s+|.)/gs;

// Nodes for `text`: words in colours, and what lies from offset `wrong.at` over `wrong.length` marked.
export function coloured(text, words, wrong) {
    const nodes = document.createDocumentFragment();
    let at = 0;
    for (const [part, comment, string, , number, word] of text.matchAll(TOKEN)) {
        const name = word?.toUpperCase();
        const kind = comment ? "c" : string || number ? "l"
            : word && words.functions.has(name) && /^\s*\(/.test(text.slice(at + part.length)) ? "f"
            : word && words.reserved.has(name) ? "k" : "";
        const marked = wrong && at < wrong.at + wrong.length && at + part.length > wrong.at;
        if (kind || marked) {
            const span = document.createElement("span");
            span.className = `${kind}${marked ? " e" : ""}`.trim();
            span.textContent = part;
            nodes.append(span);
        } else {
            nodes.append(part);
        }
        at += part.length;
    }
    nodes.append("\n"); // a last empty line has a height too
    return nodes;
}

// The offset of a line and column, both from 1.
export function offset(text, line, column) {
    const lines = text.split("\n");
    return lines.slice(0, line - 1).reduce((sum, one) => sum + one.length + 1, 0) + column - 1;
}

// The word that ends at `at`: letters, digits, dots, quotes.
export function wordBefore(text, at) {
    return /[A-Za-z_"][\w."]*$/.exec(text.slice(0, at))?.[0] ?? "";
}

// The tables that a text names, among `tables`.
export function tablesIn(text, tables) {
    const lower = text.toLowerCase();
    return tables.filter((table) => lower.includes(table.name.toLowerCase()));
}

// What begins with `word`, best first: columns, then tables, functions and reserved words.
export function choices(word, columns, words, most = 12) {
    const start = word.toLowerCase();
    const bare = start.slice(start.lastIndexOf(".") + 1);
    const groups = [
        [columns, bare, start === bare ? "" : word.slice(0, word.lastIndexOf(".") + 1)],
        [words.tables, start, ""],
        [words.list, start, ""],
    ];
    const found = groups.flatMap(([list, begin, before]) => (begin || before)
        ? list.filter((one) => one.name.toLowerCase().startsWith(begin) && one.name.toLowerCase() !== begin)
            .map((one) => ({ ...one, text: before + one.name }))
        : []);
    const tail = words.tables.filter((one) => one.name.toLowerCase().includes(`.${start}`)).map((one) => ({ ...one, text: one.name }));
    const unique = new Map([...found, ...(start ? tail : [])].map((one) => [one.text, one]));
    return [...unique.values()].slice(0, most);
}

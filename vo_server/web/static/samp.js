// A client of SAMP's Web Profile (SAMP 1.3 §5): XML-RPC to the hub on the reader's machine, which asks him first.

const HUB = "http://localhost:21012/";

export class SampError extends Error {}

function written(value) {
    const node = document.implementation.createDocument(null, "value");
    const fill = (element, content) => {
        if (Array.isArray(content)) {
            const data = element.appendChild(node.createElement("array")).appendChild(node.createElement("data"));
            for (const one of content) fill(data.appendChild(node.createElement("value")), one);
        } else if (typeof content === "object") {
            const struct = element.appendChild(node.createElement("struct"));
            for (const [name, one] of Object.entries(content)) {
                const member = struct.appendChild(node.createElement("member"));
                member.appendChild(node.createElement("name")).textContent = name;
                fill(member.appendChild(node.createElement("value")), one);
            }
        } else {
            element.appendChild(node.createElement("string")).textContent = content;
        }
    };
    fill(node.documentElement, value);
    return new XMLSerializer().serializeToString(node.documentElement);
}

function read(node) {
    const typed = node.firstElementChild;
    if (!typed) return node.textContent;
    if (typed.tagName === "array") return [...typed.querySelectorAll(":scope > data > value")].map(read);
    if (typed.tagName === "struct") {
        return Object.fromEntries([...typed.children].map((member) => [member.querySelector(":scope > name").textContent, read(member.querySelector(":scope > value"))]));
    }
    return typed.textContent;
}

export async function call(method, ...params) {
    const body = `<?xml version="1.0"?><methodCall><methodName>${method}</methodName><params>${params.map((one) => `<param>${written(one)}</param>`).join("")}</params></methodCall>`;
    let reply;
    try {
        reply = await fetch(HUB, { method: "POST", body, headers: { "Content-Type": "text/xml" } });
    } catch {
        throw new SampError("No program that listens was found. Start TOPCAT or Aladin, and try again.");
    }
    const answer = new DOMParser().parseFromString(await reply.text(), "text/xml");
    const fault = answer.querySelector("fault > value");
    if (fault) throw new SampError(read(fault).faultString ?? "The hub refused.");
    return read(answer.querySelector("params > param > value"));
}

let joined = null;

async function join(name) {
    const registered = await call("samp.webhub.register", { "samp.name": name });
    const key = registered["samp.private-key"];
    await call("samp.webhub.declareMetadata", key, { "samp.name": name, "samp.description.text": `Page ${location.href}` });
    addEventListener("pagehide", () => { call("samp.webhub.unregister", key).catch(() => {}); });
    return key;
}

// Has all programs that take tables load the VOTable at `url`; gives how many there are.
export async function sendTable(url, name) {
    joined ??= join(document.title);
    try {
        const key = await joined;
        const message = { "samp.mtype": "table.load.votable", "samp.params": { url, name, "table-id": url } };
        const told = await call("samp.webhub.notifyAll", key, message);
        return told.length;
    } catch (error) {
        joined = null;
        throw error;
    }
}

// Puts a button that sends beside `place`; `what()` gives {url, name}.
export function offer(place, what) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Send to TOPCAT or Aladin";
    const status = document.createElement("span");
    status.setAttribute("role", "status");
    button.addEventListener("click", async () => {
        status.textContent = " Waiting for the program to agree …";
        try {
            const { url, name } = what();
            const count = await sendTable(url, name);
            status.textContent = count ? ` Sent to ${count} program${count === 1 ? "" : "s"}.` : " A hub runs, but no program that takes tables.";
        } catch (error) {
            status.textContent = ` ${error.message}`;
        }
    });
    const paragraph = document.createElement("p");
    paragraph.append(button, status);
    place.append(paragraph);
}

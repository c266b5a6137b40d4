// On the page of a table: a button that sends all its rows to programs beside.

import { offer } from "./samp.js";

const form = document.querySelector("form[data-samp]");
if (form) {
    offer(form.parentElement.insertBefore(document.createElement("div"), form.nextSibling), () => {
        const params = new URLSearchParams(new FormData(form));
        params.set("RESPONSEFORMAT", "votable/b2");
        return { url: new URL(`${form.action}?${params}`).href, name: form.dataset.samp };
    });
}

// Jobs under way: the list is fetched anew until none is.

const PAUSE_MS = 1500;

async function refresh() {
    const reply = await fetch(location.href);
    if (!reply.ok) return location.reload();
    const page = new DOMParser().parseFromString(await reply.text(), "text/html");
    const fresh = page.getElementById("jobs");
    const shown = document.getElementById("jobs");
    const focused = document.activeElement?.closest("#jobs tr")?.id;
    const action = document.activeElement?.value;
    shown.replaceWith(fresh);
    if (focused) fresh.querySelector(`#${CSS.escape(focused)} button[value="${action}"], #${CSS.escape(focused)} button`)?.focus();
    watch();
}

function watch() {
    if (document.getElementById("jobs").dataset.active === "yes") setTimeout(refresh, PAUSE_MS);
}

watch();

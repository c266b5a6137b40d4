// On every page: buttons that copy what is to be copied, and buttons whose answers are saved rather than shown.

for (const block of document.querySelectorAll(".copied")) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Copy";
    button.setAttribute("aria-label", `Copy: ${block.querySelector("pre").getAttribute("aria-label")}`);
    button.addEventListener("click", async () => {
        await navigator.clipboard.writeText(block.querySelector("code").textContent);
        button.textContent = "Copied";
        setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
    if (navigator.clipboard) block.append(button);
}

document.addEventListener("submit", (event) => {
    const button = event.submitter;
    if (!button?.hasAttribute("data-download")) return;
    event.preventDefault();
    const form = event.target;
    const address = button.getAttribute("formaction") ?? form.getAttribute("action");
    const link = document.createElement("a");
    link.href = `${address}?${new URLSearchParams(new FormData(form))}`;
    link.download = "";
    link.click();
});

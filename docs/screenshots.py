"""The pictures of the documentation, taken of a running demonstration: ``vo demo``, then ``python docs/screenshots.py http://127.0.0.1:8000``.

Needs playwright (dev extra) and the Debian package chromium.
"""  # noqa: INP001 a script, not a package

import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

PICTURES = Path(__file__).parent / "pictures"
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-sync",
]
WIDE, PHONE = {"width": 1200, "height": 820}, {"width": 390, "height": 780}
MISTAKE = "SELECT name, ra, dec, fluks1000\nFROM fermi.bright\nWHERE source_class = 'bll'\nORDER BY significance DESC"


def home(page: Page, url: str) -> None:
    """What is here."""
    page.goto(url)


def table(page: Page, url: str) -> None:
    """A table, with a plot of two of its columns."""
    page.goto(f"{url}/tables/fermi.bright?x=photon_index&y=flux1000")


def mistake(page: Page, url: str) -> None:
    """A mistake in a query, marked where it is."""
    page.goto(f"{url}/query")
    page.locator("#query").fill(MISTAKE)
    page.locator("#fault .wrong").wait_for()


def rows(page: Page, url: str) -> None:
    """The rows of a query on the sky."""
    mistake(page, url)
    page.locator("#query").fill(MISTAKE.replace("fluks1000", "flux1000"))
    page.locator("#fault .wrong").wait_for(state="detached")
    page.get_by_role("button", name="Run", exact=True).click()
    page.get_by_role("button", name="On the sky").click()
    page.locator("#results h2").evaluate("(heading) => heading.scrollIntoView()")


SHOTS = {
    "home": (home, WIDE, "light"),
    "table": (table, WIDE, "light"),
    "table-phone": (table, PHONE, "dark"),
    "query-mistake": (mistake, WIDE, "light"),
    "query-rows": (rows, WIDE, "dark"),
}
"""Name → what is shown, window, colours."""


def main(url: str) -> None:
    """Take all pictures."""
    PICTURES.mkdir(exist_ok=True)
    with sync_playwright() as running:
        browser = running.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        for name, (show, window, scheme) in SHOTS.items():
            page = browser.new_page(viewport=window, color_scheme=scheme)  # type: ignore[arg-type]
            show(page, url)
            page.wait_for_load_state("networkidle")
            page.screenshot(path=PICTURES / f"{name}.png")
            page.close()


if __name__ == "__main__":
    main(sys.argv[1])

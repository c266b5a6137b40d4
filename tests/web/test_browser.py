"""What people do with the pages, in Chromium: with the mouse, by keyboard alone, without JavaScript, with programs beside."""

import csv
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import datasets
import httpx2 as httpx
import pytest
from astropy.io import fits
from astropy.table import Table

PACKAGES = Path(os.environ.get("TEST_NPM", Path(__file__).parents[2] / ".npm" / "node_modules"))
"""Where `.ci/run` installs what browsers load: axe-core and aladin-lite."""

ENDLESS = (
    "SELECT COUNT(*) FROM tap_schema.columns a, tap_schema.columns b, tap_schema.columns c, tap_schema.columns d, tap_schema.columns e"
)
ALL = "SELECT name, ra, dec, flux FROM sky.sources"

pytestmark = pytest.mark.timeout(120)


def query(site: str, adql: str, **more: str) -> str:
    return f"{site}/query?{urlencode({'QUERY': adql, **more})}"


def press(page: Any, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def tab_to(page: Any, selector: str, most: int = 60) -> None:
    """Move the focus by the keyboard until it is on what `selector` names."""
    for _ in range(most):
        if page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{selector} is not reached by {most} tabulators")


def test_a_source_is_found_from_the_start_page_with_the_mouse(site: str, page: Any) -> None:
    page.goto(site)
    page.get_by_label("Find a name or a position").click()
    page.keyboard.type("txs 0506")
    page.get_by_role("button", name="Find").click()
    assert page.get_by_role("cell", name="TXS 0506+056").is_visible()
    page.get_by_role("link", name="A few sources").click()
    page.get_by_label("Right ascension (deg)").fill("77.36")
    page.get_by_label("Declination (deg)").fill("5.69")
    page.get_by_role("button", name="Search").click()
    assert "TXS 0506+056" in page.content()


def test_a_source_is_found_and_plotted_by_keyboard_alone(site: str, page: Any) -> None:
    page.goto(site)
    tab_to(page, "#q")
    page.keyboard.type("05 09 25.9 +05 41 35")
    press(page, "Enter")
    page.wait_for_selector("text=nearest first")
    assert page.locator("tbody tr").first.inner_text().startswith("TXS 0506+056")
    tab_to(page, "a[href^='/query']:not(nav a)")
    press(page, "Enter")
    page.wait_for_selector(".editor.live")
    tab_to(page, "#query")
    press(page, "Control+Enter")
    page.wait_for_selector("text=1 row")
    tab_to(page, "#results button:not(.sort)")
    press(page, "Enter")
    assert page.locator("#results svg").count() == 1


def test_a_mistake_is_marked_and_mended_and_the_rows_are_sorted_plotted_and_downloaded(site: str, page: Any) -> None:
    page.goto(query(site, "SELECT name, ra, dec, flax\nFROM sky.sources"))
    page.get_by_role("button", name="Run", exact=True).click()
    told = page.locator("#fault")
    told.get_by_text("There is no column flax here.").wait_for()
    assert "Did you mean flux?" in told.inner_text()
    assert page.locator(".editor .e").inner_text() == "flax"
    page.get_by_role("button", name="Line 1, column 23").click()
    page.keyboard.type("flux")  # over the word that is selected
    page.locator("#fault .wrong").wait_for(state="detached")
    page.get_by_role("button", name="Run", exact=True).click()
    page.get_by_role("heading", name="83 rows").wait_for()

    assert page.get_by_text("Rows 1 to 50 of 83").is_visible()
    page.get_by_role("button", name="On", exact=True).click()
    assert page.get_by_text("Rows 51 to 83 of 83").is_visible()
    page.get_by_role("button", name="flux", exact=True).click()
    page.get_by_role("button", name="flux", exact=True).click()
    cells = page.locator("#results tbody tr td:last-child").all_inner_texts()
    assert cells[:2] == ["7.91", "7.81"]

    page.get_by_label("Plot").select_option("ra")
    page.get_by_label("against").select_option("flux")
    page.get_by_role("button", name="Draw").click()
    assert page.get_by_role("img", name="flux [Jy] against ra [deg]").is_visible()
    page.get_by_role("button", name="On the sky").click()
    assert page.get_by_role("img", name="Where the rows lie on the sky").is_visible()

    page.get_by_label("Format of jobs and downloads").select_option("csv")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    assert len(list(csv.reader(StringIO(Path(download.value.path()).read_text())))) == 84


def test_names_are_completed_and_what_was_run_is_remembered_and_shared(site: str, page: Any) -> None:
    page.goto(query(site, "SELECT  FROM sky.sources"), wait_until="networkidle")  # the names are there
    editor = page.locator("#query")
    editor.evaluate("(editor) => { editor.focus(); editor.setSelectionRange(7, 7); }")
    page.keyboard.type("na")
    page.get_by_role("option", name="name").first.wait_for()
    press(page, "Tab")
    assert editor.input_value() == "SELECT name FROM sky.sources"
    press(page, "Control+Enter")
    page.get_by_role("heading", name="83 rows").wait_for()
    assert page.url.endswith("#run")
    page.goto(page.url)
    page.reload()  # the address runs it again
    page.get_by_role("heading", name="83 rows").wait_for()
    assert page.locator("#history li").all_inner_texts() == ["SELECT name FROM sky.sources"]


def test_a_long_job_is_watched_and_aborted_and_deleted(site: str, page: Any) -> None:
    page.goto(query(site, ENDLESS))
    page.get_by_role("button", name="Run as a job").click()
    page.get_by_text("running", exact=True).wait_for()
    page.get_by_role("button", name="Abort").click()
    page.get_by_text("aborted").wait_for()
    page.get_by_role("link", name="All jobs of this browser").click()
    assert page.locator("#jobs tbody tr").count() == 1
    page.get_by_role("button", name="Delete").click()
    assert page.get_by_text("No job was made in this browser").is_visible()


def test_a_job_shows_its_result_when_it_is_done(site: str, page: Any) -> None:
    page.goto(query(site, ALL))
    page.get_by_label("Format of jobs and downloads").select_option("csv")
    page.get_by_role("button", name="Run as a job").click()
    page.get_by_text("done").wait_for()
    assert page.get_by_text("83 rows").is_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="result.csv").click()
    assert len(Path(download.value.path()).read_text().splitlines()) == 84


def test_what_rows_hold_never_runs(site: str, page: Any) -> None:
    for address in (
        f"{site}/search?q=TXS",
        query(site, "SELECT name, note FROM sky.sources WHERE name LIKE 'TXS%'") + "#run",
        f"{site}/tables/sky.sources",
    ):
        page.goto(address)
        page.get_by_text("<script>document").first.wait_for()
        assert page.title() != "1"


def test_without_javascript_browse_query_and_jobs_still_work(site: str, browser: Any) -> None:
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(site)
        page.locator("#q").fill("TXS")
        page.get_by_role("button", name="Find").click()
        page.get_by_role("link", name="As a query").first.click()
        page.get_by_role("button", name="Run", exact=True).click()
        assert page.get_by_role("heading", name="1 row").is_visible()
        page.locator("#query").fill("SELECT nam FROM sky.sources")
        page.get_by_role("button", name="Run", exact=True).click()
        assert page.locator("#fault").inner_text().startswith("Line 1, column 8. There is no column nam here.")
        page.locator("#query").fill(ENDLESS)
        page.get_by_role("button", name="Run as a job").click()
        page.get_by_role("button", name="Abort").click()
        assert page.get_by_text("aborted").is_visible()
        page.goto(f"{site}/tables/sky.sources?x=flux&y=ra")
        assert page.get_by_alt_text("ra against flux").evaluate("(image) => image.complete") in (True, False)
        assert page.get_by_role("cell", name="0.01").first.is_visible()  # the lowest flux


def test_an_image_is_cut_out_by_its_page(site: str, page: Any) -> None:
    page.goto(f"{site}/datasets")
    page.get_by_role("link", name="Crab “nebula”").click()
    picture = page.get_by_alt_text("Map of the sky with the footprint of Crab “nebula”")
    picture.scroll_into_view_if_needed()
    page.wait_for_function("(image) => image.complete && image.naturalWidth > 0", arg=picture.element_handle())
    page.get_by_label("Circle").fill("83.6 22.0 0.05")
    with page.expect_download() as download:
        page.get_by_role("button", name="Cut out").click()
    with fits.open(download.value.path()) as part:
        assert part[0].data.shape == (12, 12)
    page.goto(f"{site}/dataset?ID={quote(datasets.identifier('late'))}")
    assert "public from 2031-05-06 on" in page.content()
    assert page.get_by_role("button", name="Cut out").count() == 0


AXE = "async (rules) => (await axe.run(document, rules)).violations.map((one) => [one.id, one.nodes.map((node) => node.html)])"
RULES: dict[str, Any] = {"light": {}, "dark": {"runOnly": ["color-contrast"]}}
"""What does not depend on colours is looked at once."""
PAGES = (
    "/",
    "/search?q=TXS",
    "/query",
    "/jobs",
    "/datasets",
    "/tables/sky.sources",
    "/tables/ivoa.obscore",
    "/resources/sky/sources",
    "/tap",
    "/tables/no.such",
)


@pytest.mark.parametrize("scheme", RULES)
def test_axe_finds_nothing_and_nothing_is_wider_than_a_phone(site: str, browser: Any, scheme: str) -> None:
    axe = PACKAGES / "axe-core" / "axe.min.js"
    if not axe.exists():
        pytest.skip("axe-core is not installed (npm install --prefix .npm axe-core)")
    with browser.new_context(viewport={"width": 390, "height": 800}, color_scheme=scheme, bypass_csp=True) as context:
        page = context.new_page()
        addresses = [f"{site}{path}" for path in PAGES]
        addresses += [
            query(site, ALL) + "#run",
            query(site, "SELECT nam FROM sky.sources", RUN="1"),
            f"{site}/dataset?ID={quote(datasets.identifier('image'))}",
        ]
        for address in addresses:
            page.goto(address)
            if address.endswith("#run"):
                page.get_by_role("heading", name="83 rows").wait_for()
            page.add_script_tag(path=axe)
            found = page.evaluate(AXE, RULES[scheme])
            assert found == [], address
            assert page.evaluate("document.documentElement.scrollWidth") <= 390, address


def test_rows_and_footprints_are_shown_by_aladin_lite(site: str, browser: Any) -> None:
    aladin = PACKAGES / "aladin-lite" / "dist" / "aladin.js"
    if not aladin.exists():
        pytest.skip("aladin-lite is not installed (npm install --prefix .npm aladin-lite)")

    def answer(route: Any) -> None:
        if route.request.url.endswith("/aladin.js"):
            route.fulfill(path=aladin, content_type="text/javascript", headers={"Access-Control-Allow-Origin": "*"})
        elif route.request.url.startswith(site) and "/sky/P/" not in route.request.url:
            route.continue_()
        else:
            route.abort()  # images of the sky are far away

    addresses = {f"{site}/sky?table=sky.sources": "83 0 0", f"{site}/sky?ID={quote(datasets.identifier('image'))}": "0 1 0"}
    with browser.new_context() as context:
        page = context.new_page()
        page.route("**/*", answer)
        for address, shown in addresses.items():
            page.goto(address)
            page.frame_locator("iframe.sky").locator(f"body[data-shown='{shown}']").wait_for(state="attached")


def test_a_table_is_sent_to_the_programs_of_a_samp_hub(site: str, page: Any) -> None:
    received: list[dict[str, str]] = []
    with samp_hub() as listener:
        listener.bind_receive_notification("table.load.votable", lambda _key, _sender, _mtype, params, _extra: received.append(params))
        page.goto(f"{site}/tables/sky.sources")
        page.get_by_role("button", name="Send to TOPCAT or Aladin").click()
        page.get_by_text("Sent to 1 program.").wait_for()
        deadline = time.monotonic() + 10
        while not received and time.monotonic() < deadline:  # the hub passes it on by itself
            page.wait_for_timeout(50)
    assert [params["name"] for params in received] == ["sky.sources"]
    table = Table.read(BytesIO(httpx.get(received[0]["url"]).content), format="votable")
    assert len(table) == 83
    page.get_by_role("button", name="Send to TOPCAT or Aladin").click()
    page.get_by_text("No program that listens was found").wait_for()


@contextmanager
def samp_hub() -> Iterator[Any]:
    """A hub with the Web Profile, whose user agrees, and a program that listens."""
    hubs = pytest.importorskip("pyvo.samp.hub", reason="this pyvo has no SAMP hub")
    samp = pytest.importorskip("pyvo.samp")
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", 21012)) == 0:
            pytest.skip("a SAMP hub runs on this machine already")

    class Agreeing(hubs.WebProfileDialog):
        def show_dialog(self, *_: Any) -> None:
            self.consent()

    samp.conf.use_internet = False
    user, over = Agreeing(), threading.Event()
    hub = samp.SAMPHubServer(web_profile_dialog=user, mode="multiple")
    hub.start()

    def answer() -> None:
        while not over.wait(0.05):
            user.handle_queue()

    answering = threading.Thread(target=answer)
    answering.start()
    client = samp.SAMPIntegratedClient(name="listener", addr="127.0.0.1")
    client.connect(hub_params=dict(hub.params))
    try:
        yield client
    finally:
        client.disconnect()
        hub.stop()
        over.set()
        answering.join()

"""``vo selftest`` on a healthy site, and on one that does everything wrong."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from typer.testing import CliRunner

from vo_server.cli import app
from vo_server.errors import NotFoundError
from vo_server.selftest import Site, examine

CAPABILITIES = """<v:capabilities xmlns:v="http://www.ivoa.net/xml/VOSICapabilities/v1.0" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
<capability standardID="ivo://ivoa.net/std/TAP"><interface xsi:type="vs:ParamHTTP"><accessURL>{url}/tap</accessURL></interface></capability>
<capability standardID="ivo://ivoa.net/std/ConeSearch"><interface xsi:type="vs:ParamHTTP"><accessURL>{url}/cone?</accessURL></interface>
<testQuery><ra>1</ra><dec>2</dec><sr>3</sr></testQuery></capability></v:capabilities>"""


class Broken(BaseHTTPRequestHandler):
    """Says in its capabilities that it is a TAP and cone search service, and answers with an HTML page whatever it is asked."""

    def do_GET(self) -> None:
        host = f"http://{self.headers['Host']}"
        found = self.path.startswith("/capabilities")
        body = CAPABILITIES.format(url=host) if found else "<html><body>It works<br></body></html>"
        self.send_response(200)
        self.send_header("Content-Type", "text/xml" if found else "text/html")
        self.end_headers()
        self.wfile.write(body.encode())

    do_POST = do_GET  # noqa: N815 the library's name

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def broken() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Broken) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_all_is_well_with_a_healthy_site(live: str) -> None:
    results = list(examine(Site(live)))
    assert [(result.service, result.check, result.fault) for result in results if result.fault] == []
    seen = {result.service.removeprefix(live).partition("?")[0]: result for result in results}
    assert {"/tap", "/scs/sky.sources", "/sia2/query", "/oai"} <= set(seen)


def test_every_fault_of_a_broken_one_is_found(broken: str) -> None:
    results = {(result.service.removeprefix(broken), result.check): result.fault for result in examine(Site(broken))}
    assert len(results) > 8
    silent = [name for name, fault in results.items() if fault is None]
    assert silent == [("/tap", "it is available")]  # an availability document is optional
    assert "instead of a VOTable" not in str(results["/tap", "tables can be listed"])


def test_the_command_says_what_is_wrong_and_fails(broken: str) -> None:
    told = CliRunner().invoke(app, ["selftest", broken, "--json"])
    assert told.exit_code == 1
    assert any(json.loads(line)["fault"] for line in told.stdout.splitlines() if line.startswith("{"))


def test_an_address_without_a_service_is_said(broken: str) -> None:
    with pytest.raises(NotFoundError, match="No VO service"):
        _ = Site(f"{broken}/elsewhere").services

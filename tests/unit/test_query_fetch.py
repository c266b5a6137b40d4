"""Content from addresses: what is fetched, what is refused, and that names are looked up once only."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address, ip_network

import pytest

from vo_server.errors import UsageError
from vo_server.query.fetch import Sources, fetch

LOOPBACK = Sources((ip_network("127.0.0.0/8"),), 5)
BODY = b"a,b\n1,2\n" * 100_000


class Pages(BaseHTTPRequestHandler):
    """A few ways in which a server may answer."""

    def do_GET(self) -> None:
        PAGES.get(self.path, Pages.missing)(self)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing is printed."""

    def table(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def chunked(self) -> None:
        self.protocol_version = "HTTP/1.1"
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n")

    def cut(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"short")

    def missing(self) -> None:
        self.send_error(404, "Not Found")

    def drip(self) -> None:
        self.send_response(200)
        self.end_headers()
        with suppress(OSError):  # whoever reads goes away
            for _ in range(100):
                self.wfile.write(b".")
                self.wfile.flush()
                time.sleep(0.05)

    def redirect(self, target: str) -> None:
        self.send_response(302)
        self.send_header("Location", target)
        self.end_headers()


PAGES: dict[str, Callable[[Pages], None]] = {
    "/table": Pages.table,
    "/a%20b?x=1%3B2": Pages.chunked,
    "/cut": Pages.cut,
    "/drip": Pages.drip,
    "/moved": lambda page: page.redirect("/again"),
    "/again": lambda page: page.redirect(f"http://127.0.0.1:{page.server.server_port}/table"),  # type: ignore[attr-defined]
    "/inside": lambda page: page.redirect("http://10.1.2.3/secret"),
    "/metadata": lambda page: page.redirect("http://169.254.169.254/latest/meta-data"),
    "/file": lambda page: page.redirect("file:///etc/passwd"),
    "/round": lambda page: page.redirect("/round"),
}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def body(url: str, sources: Sources = LOOPBACK) -> bytes:
    return b"".join(fetch(url, sources))


def test_content_comes_whole_and_in_pieces(server: str) -> None:
    assert body(f"{server}/table") == BODY
    assert max(map(len, fetch(f"{server}/table", LOOPBACK))) < len(BODY)
    assert body(f"{server}/a b?x=1%3B2") == b"hello world"


def test_redirects_are_followed(server: str) -> None:
    assert body(f"{server}/moved") == BODY


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/none", r"the server there says 404"),
        ("/cut", r"the connection broke 995 bytes before its end"),
        ("/inside", r"10\.1\.2\.3 is not at a public address"),
        ("/metadata", r"169\.254\.169\.254 is not at a public address"),
        ("/file", r"no address with http"),
        ("/round", r"redirected more than 5 times"),
    ],
)
def test_what_goes_wrong_is_told(server: str, path: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        body(server + path)
    assert caught.value.parameter == "UPLOAD"


def test_time_is_bounded_also_for_those_who_always_send_a_little(server: str) -> None:
    begin = time.monotonic()
    with pytest.raises(UsageError, match="it took too long"):
        body(f"{server}/drip", Sources(LOOPBACK.networks, 0.3))
    assert time.monotonic() - begin < 3


PRIVATE = (
    "127.0.0.1",
    "10.0.0.1",
    "172.16.3.4",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "224.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "fe80::1",
    "fd00::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "2002:0a00:0001::",
    "::127.0.0.1",
    "::ffff:0:127.0.0.1",
    "64:ff9b:1::127.0.0.1",
    "fec0::1",
    "5f00::1",
)


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_refused_in_every_dress(address: str) -> None:
    assert not Sources().allows(ip_address(address))


def test_public_addresses_are_allowed_and_networks_as_they_are_set() -> None:
    assert Sources().allows(ip_address("93.184.216.34"))
    assert Sources().allows(ip_address("2606:2800:220:1:248:1893:25c8:1946"))
    assert Sources((ip_network("10.1.0.0/16"),)).allows(ip_address("10.1.200.3"))
    assert not Sources((ip_network("10.1.0.0/16"),)).allows(ip_address("10.2.0.1"))


@pytest.mark.parametrize("url", ["http://127.0.0.1/", "http://2130706433/", "http://0x7f.1/", "http://[::1]/", "http://[::ffff:7f00:1]/"])
def test_spellings_of_loopback_are_refused(url: str) -> None:
    with pytest.raises(UsageError, match=r"not at a public address|no such host"):
        body(url, Sources())


def test_a_name_is_looked_up_once_and_the_checked_address_is_used(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that resolves to a public address first and to loopback afterwards gains nothing (DNS rebinding)."""
    port = int(server.rpartition(":")[2])
    answers = iter([["10.0.0.1", "127.0.0.1"], []])

    def resolve(host: str, *_: object, **__: object) -> list[tuple[object, ...]]:
        assert host == "tables.example.org"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in next(answers)]

    monkeypatch.setattr("vo_server.query.fetch.socket.getaddrinfo", resolve)
    connected: list[tuple[str, int]] = []
    real = socket.create_connection

    def connect(address: tuple[str, int], timeout: float) -> socket.socket:
        connected.append(address)
        monkeypatch.undo()
        return real(address, timeout)

    monkeypatch.setattr("vo_server.query.fetch.socket.create_connection", connect)
    assert body(f"http://tables.example.org:{port}/table") == BODY
    assert connected == [("127.0.0.1", port)]


def test_a_host_of_several_addresses_is_reached_by_the_one_that_answers(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    port = int(server.rpartition(":")[2])
    entries = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in ("127.0.0.2", "10.0.0.1", "127.0.0.1")]
    monkeypatch.setattr("vo_server.query.fetch.socket.getaddrinfo", lambda *_, **__: entries)
    assert body(f"http://tables.example.org:{port}/table") == BODY
    monkeypatch.setattr("vo_server.query.fetch.socket.getaddrinfo", lambda *_, **__: entries[:1] * 2)
    with pytest.raises(UsageError, match="refused"):
        body(f"http://tables.example.org:{port}/table")


@pytest.mark.parametrize("url", ["ftp://x.org/t", "http://", "http:///t", "http://x.org:99999/", "//x.org/t", "vos:x", "http://[::1"])
def test_addresses_that_are_none_are_refused(url: str) -> None:
    with pytest.raises(UsageError, match="no address with http"):
        body(url)

"""Bytes from an address that a user names: only over HTTP, only from public addresses, and never for long.

A server stands in networks that its users do not reach. So names are resolved once, what they resolve to is checked, and the
connection goes to the checked address; the same for each redirect.
"""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from vo_server.errors import UsageError

SCHEMES = {"http": 80, "https": 443}
REDIRECTS = (301, 302, 303, 307, 308)
MOST_REDIRECTS = 5
SILENCE_S = 20
"""So long a server may say nothing."""
BLOCK_BYTES = 1 << 18

Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Sources:
    """Where content may come from, besides public addresses, and how many seconds it may take."""

    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    seconds: float = 60

    def allows(self, address: Address) -> bool:
        """Whether a connection may go there."""
        inner = inner_address(address)
        public = inner.is_global and not inner.is_multicast and (inner.version == 4 or inner in UNICAST)
        return public or any(inner in network for network in self.networks)


def inner_address(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, if it does: connections to it end there."""
    if not isinstance(address, IPv6Address):
        return address
    if address.packed[:12] == NAT64:
        return IPv4Address(address.packed[12:])
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None) or address


UNICAST = IPv6Network("2000::/3")
"""All of IPv6 that is routed between networks (RFC 4291 §2.4, IANA's registry); Python takes some of the rest for global too."""

NAT64 = b"\x00\x64\xff\x9b" + bytes(8)


def fetch(url: str, sources: Sources) -> Iterator[bytes]:
    """The content of `url`, redirects followed. UsageError says what went wrong: an address that is not allowed, a status, a time-out."""
    deadline = time.monotonic() + sources.seconds
    target = url
    for _ in range(MOST_REDIRECTS + 1):
        parts = _checked(target)
        with _explained(url, deadline), _connected(parts, sources, deadline) as connection:
            response = _ask(connection, parts)
            if response.status not in REDIRECTS:
                yield from _body(url, response, deadline)
                return
            target = urljoin(target, response.headers.get("Location", ""))
    raise refusal(url, f"it was redirected more than {MOST_REDIRECTS} times")


def refusal(url: str, reason: str, hint: str | None = None) -> UsageError:
    """The error to tell when `url` cannot be fetched."""
    return UsageError(f"UPLOAD: {url[:200]} cannot be fetched: {reason}.", hint=hint, parameter="UPLOAD")


def _checked(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        fits = parts.scheme in SCHEMES and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        fits = False
    if not fits:
        raise refusal(url, "it is no address with http:// or https://", "Send a file as a part of the form: UPLOAD=name,param:part.")
    return parts


@contextmanager
def _explained(url: str, deadline: float) -> Iterator[None]:
    """Errors of the network as UsageError."""
    try:
        yield
    except (OSError, HTTPException, UnicodeError) as error:
        if isinstance(error, TimeoutError) or time.monotonic() >= deadline:
            raise refusal(url, "it took too long", "Fetch it yourself, and send it as a part of the form.") from None
        reason = "there is no such host" if isinstance(error, socket.gaierror) else str(error) or type(error).__name__
        raise refusal(url, reason.rstrip(".")) from None


@contextmanager
def _connected(parts: SplitResult, sources: Sources, deadline: float) -> Iterator[HTTPConnection]:
    """A connection to an address that was checked; shut when time is over, whatever it is doing then."""
    host, port = parts.hostname or "", parts.port or SCHEMES[parts.scheme]
    connected = _reached(_addresses(parts.geturl(), host, port, sources), port, deadline)
    with closing(connected):
        watch = threading.Timer(max(0.0, deadline - time.monotonic()), _shut, (connected,))
        watch.start()
        try:
            if parts.scheme == "https":
                connected = ssl.create_default_context().wrap_socket(connected, server_hostname=host)
            connection = HTTPConnection(host, port)
            connection.default_port = SCHEMES[parts.scheme]
            connection.sock = connected
            with closing(connection):
                yield connection
        finally:
            watch.cancel()


def _shut(connected: socket.socket) -> None:
    with suppress(OSError):
        connected.shutdown(socket.SHUT_RDWR)


def _addresses(url: str, host: str, port: int, sources: Sources) -> list[Address]:
    """The addresses of `host` to which connections may go, at least one."""
    found = [ip_address(str(entry[4][0]).partition("%")[0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    allowed = [address for address in found if sources.allows(address)]
    if not allowed:
        raise refusal(url, f"{host} is not at a public address", "The operator can allow networks by the setting upload_networks.")
    return allowed


def _reached(addresses: list[Address], port: int, deadline: float) -> socket.socket:
    """A connection to the first address that answers: a host may have one of a kind that cannot be reached from here."""
    *others, last = addresses
    for address in others:
        with suppress(OSError):
            return socket.create_connection((str(address), port), _left(deadline) / len(addresses))
    return socket.create_connection((str(last), port), _left(deadline))


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return min(left, SILENCE_S)


def _ask(connection: HTTPConnection, parts: SplitResult) -> HTTPResponse:
    target = quote(parts.path or "/", safe=SAFE) + (f"?{quote(parts.query, safe=SAFE)}" if parts.query else "")
    connection.request("GET", target, headers={"User-Agent": "vo-server", "Accept-Encoding": "identity", "Connection": "close"})
    return connection.getresponse()


SAFE = "/%:=&?~+!$,;'@()*[]"
"""What an address may hold as it is, percent signs of what is quoted already included."""


def _body(url: str, response: HTTPResponse, deadline: float) -> Iterator[bytes]:
    if response.status != HTTPStatus.OK:
        raise refusal(url, f"the server there says {response.status} {response.reason}")
    while block := response.read(BLOCK_BYTES):
        yield block
    if time.monotonic() >= deadline:  # the connection was shut, which looks like its end
        raise TimeoutError
    if response.length:
        raise refusal(url, f"the connection broke {response.length} bytes before its end")

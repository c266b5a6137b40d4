"""Who is asking: for admission, an address, which only a trusted proxy may say for somebody else."""

import hashlib
import hmac
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from starlette.requests import HTTPConnection

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

DIGITS = 32

HOUSEHOLD = 64
"""Bits of an IPv6 address that one customer of a provider shares: below them everybody has 2⁶⁴ addresses."""


def caller(request: HTTPConnection, trusted: Sequence[Network]) -> str:
    """The address of whoever sent the request; of an IPv6 address its /64. Empty if it cannot be known.

    Behind proxies it is the last address of X-Forwarded-For that is not a trusted proxy's: what stands before it anybody may have written.
    """
    peer = _address(request.client.host) if request.client else None
    found = peer
    for text in reversed(",".join(request.headers.getlist("x-forwarded-for")).split(",")):
        if found is None or not any(found in network for network in trusted):
            break
        found = _address(text.strip()) or found
    return _shown(found)


def digest(user: str, secret: bytes) -> str:
    """Stands for `user` where he is only counted, and tells nobody who he is; empty for somebody unknown."""
    return hmac.new(secret, user.encode(), hashlib.sha256).hexdigest()[:DIGITS] if user else ""


def _address(text: str) -> Address | None:
    if text.startswith("["):  # [2001:db8::1]:4711
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return found.ipv4_mapped or found if isinstance(found, IPv6Address) else found


def _shown(found: Address | None) -> str:
    if found is None:
        return ""
    return str(ip_network((found, HOUSEHOLD), strict=False)) if isinstance(found, IPv6Address) else str(found)

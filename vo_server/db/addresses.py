"""Addresses of databases: as libpq reads them, and as people may see them."""

import re

from sqlalchemy.engine import URL

SECRET = re.compile(r"(postgres\w*(?:\+\w+)?://[^:@/\s\"']*:)\S*(@)|(\bpassword=)(?:'[^']*'|[^\s&\"']+)", re.IGNORECASE)
"""A password inside an address, or in the other notation that libpq reads (``host=… password=…``)."""


def libpq_uri(url: URL) -> str:
    """The address as libpq reads it, password included: a plus sign is a plus sign there, and a blank is written %20 everywhere."""
    address, mark, query = url.render_as_string(hide_password=False).partition("?")
    return address.replace(" ", "%20") + mark + query.replace("+", "%20")


def masked(text: str) -> str:
    """`text` with the passwords of all addresses in it replaced by ``***``, and without the names of Python drivers."""
    hidden = SECRET.sub(lambda found: f"{found[1] or found[3]}***{found[2] or ''}", text)
    return re.sub(r"postgresql\+\w+://", "postgresql://", hidden)

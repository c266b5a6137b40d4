"""Pages for people: what is here and how to use it, rendered on the server, complete without JavaScript."""

from vo_server.web.missing import http_errors
from vo_server.web.pages import routes

__all__ = ["http_errors", "routes"]

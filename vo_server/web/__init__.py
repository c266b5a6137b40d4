"""Pages for people: what is here and how to use it, rendered on the server, complete without JavaScript."""

from vo_server.web.missing import tell_http_error
from vo_server.web.pages import routes

__all__ = ["routes", "tell_http_error"]

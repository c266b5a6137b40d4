"""``vo selftest``: a VO site asked as its users' programs ask it, from outside, by HTTP alone; any server's, not only ours."""

from vo_server.selftest.checks import Result, examine
from vo_server.selftest.site import Service, Site

__all__ = ["Result", "Service", "Site", "examine"]

"""The SQL functions that translated queries call, as text for a migration."""

from importlib.resources import files

FILES = ("sky_functions.sql", "functions.sql")
"""In this order: the second needs the first."""


def function_definitions() -> str:
    """``CREATE OR REPLACE`` statements for the schema ``vo``, which must exist. The query role needs USAGE on that schema."""
    return "\n".join(files("vo_server.sql").joinpath(name).read_text(encoding="utf-8") for name in FILES)

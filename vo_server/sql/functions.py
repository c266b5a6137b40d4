"""The SQL functions that translated queries call, as text for a migration."""

from importlib.resources import files


def function_definitions() -> str:
    """``CREATE OR REPLACE FUNCTION`` statements for the schema ``vo``, which must exist. The query role needs USAGE on that schema."""
    return files("vo_server.sql").joinpath("functions.sql").read_text(encoding="utf-8")

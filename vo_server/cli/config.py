"""``vo config``: the settings in force and where each comes from."""

from urllib.parse import urlsplit, urlunsplit

from vo_server.cli.common import ConfigFile, show_table
from vo_server.settings import Settings, load, origins


def show(config: ConfigFile = None) -> None:
    """Print every setting, its value and where it was set."""
    settings = load(config)
    _, sources = origins(config, None, {})
    rows = [
        (name, _shown(getattr(settings, name)), sources.get(name, "default"), info.description or "")
        for name, info in Settings.model_fields.items()
    ]
    show_table(("setting", "value", "from", "meaning"), rows)
    if settings.database_url and not settings.query_database_url:
        print(
            "\nwarning: users' queries run under the login of database_url after SET ROLE, and a role can be left again. "
            "Give them a login of their own with query_database_url."
        )


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    text = "" if value is None else str(value)
    parts = urlsplit(text)
    if parts.scheme.startswith("postgres") and parts.password:
        text = urlunsplit(parts._replace(netloc=parts.netloc.replace(f":{parts.password}@", ":***@")))
    return text

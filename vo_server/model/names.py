"""How ADQL spells a name: as it is where that is a regular identifier, in double quotes where not (ADQL 2.1 §2.1.5, §2.1.6)."""

import re

from vo_server.model.reserved import RESERVED

REGULAR = re.compile(r"[A-Za-z][A-Za-z0-9_]*", re.ASCII)

NAME = r'"(?:[^"]|"")+"|[^".]+'
"""A name in quotes, or one without."""


def is_regular(name: str) -> bool:
    """Whether `name` may stand in ADQL without quotes."""
    return REGULAR.fullmatch(name) is not None and name.upper() not in RESERVED


def adql_name(name: str) -> str:
    """One bare name (of a schema, table or column) as one types it in ADQL, quoted where it must be."""
    return name if is_regular(name) else '"' + name.replace('"', '""') + '"'


def adql_table_name(schema: str, name: str) -> str:
    """The name of a table as one types it after FROM (VODataService 1.2 §3.3.2: fully qualified, with the quotes it needs)."""
    return f"{adql_name(schema)}.{adql_name(name)}"


def adql_full_name(full_name: str) -> str:
    """As adql_table_name, for a bare ``schema.table``."""
    schema, _, name = full_name.partition(".")
    return adql_table_name(schema, name)


def bare_full_name(text: str) -> str:
    """The bare ``schema.table`` of a name as one writes it in ADQL; a text that is no such name is given back as it is."""
    parts = re.fullmatch(rf"({NAME})\.({NAME})", text)
    return ".".join(map(_bare, parts.groups())) if parts else text


def _bare(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name

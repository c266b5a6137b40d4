"""Tables and collections → the lines of our descriptors, with what became of the rest at their heads."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from vo_server.dachs import written
from vo_server.dachs.collections import Collection
from vo_server.dachs.report import Fate, Remark
from vo_server.dachs.tables import Table

FATES = {
    Fate.WITHHELD: "Left out, for DaCHS does not give it to everybody (--with-restricted takes it over):",
    Fate.LOST: "Not taken over:",
    Fate.COVERED: "Done here without being asked, or elsewhere:",
}


def _head(source: str, how: str, remarks: Sequence[Remark]) -> Iterator[str]:
    yield written.comment(f"Imported from {source}. {how}")
    for fate, title in FATES.items():
        if some := [remark for remark in remarks if remark.fate is fate]:
            yield "#"
            yield written.comment(title)
            yield from (written.comment(f"* {remark}") for remark in some)
    yield ""


def text_of_tables(source: str, how: str, keys: Mapping[str, Any], tables: Sequence[Table], remarks: Sequence[Remark]) -> Iterator[str]:
    """The lines of a descriptor of tables; `how` says what to do with it."""
    yield from _head(source, how, remarks)
    yield from written.section("[resource]", keys)
    for table in tables:
        if len(tables) == 1:
            yield from _one(table, "[table]", "table", "")
        else:
            yield from _one(table, "[[tables]]", "tables", "tables.")


def _one(table: Table, header: str, inside: str, beside: str) -> Iterator[str]:
    """The sections of one table: those in its own begin with `inside`, its columns and keys with `beside`."""
    yield from written.section(header, table.keys)
    if table.epoch is not None:
        yield from written.section(f"[[{inside}.frames]]", {"epoch": table.epoch})
    for group in table.groups:
        yield from written.section(f"[[{inside}.groups]]", group)
    for name, section in table.columns.items():
        yield from written.section(f"[{beside}columns.{written.key(name)}]", section)
    for foreign in table.foreign:
        yield from written.section(f"[[{beside}keys]]", foreign)


def text_of_collection(source: str, keys: Mapping[str, Any], one: Collection, remarks: Sequence[Remark]) -> Iterator[str]:
    """The lines of a descriptor of a collection of images."""
    yield from _head(source, "`vo publish-images` publishes it.", remarks)
    yield from written.section("[collection]", one.keys)
    yield from written.section("[resource]", {key: value for key, value in keys.items() if key not in ("schema", "name")})
    yield from written.section("[values]", one.values)

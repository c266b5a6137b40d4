"""Everything that is wrong with a descriptor, at once, each fault with its line; and, apart from the faults, advice."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError

from vo_registry.subjects import Terms, subject_fault
from vo_server.errors import DataError
from vo_server.formats.readers import Source, open_table
from vo_server.formats.readers.infer import given_position, safe_names
from vo_server.formats.readers.ucds import is_controlled, nearest_ucd
from vo_server.formats.readers.ucds import ucd as checked_ucd
from vo_server.formats.readers.units import nearest_unit, vounit
from vo_server.model.columns import Column
from vo_server.publish.descriptor import ColumnSection, Descriptor, Entry, entries, explain, line_of
from vo_server.publish.plan import RESERVED_SCHEMAS

ADVISED = {
    "description": "people who find it in the Registry read nothing else",
    "creators": "whom to thank and cite",
    "subjects": "full registries ask for words of the Unified Astronomy Thesaurus",
    "rights": "without it nobody knows what he may do with the data",
}
"""Keys of ``[resource]`` that a record should have → why."""


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """What is wrong, or could be better, and where. ``line`` counts from 1; 0: the file as a whole."""

    line: int
    where: str
    message: str
    is_fault: bool = True

    def __str__(self) -> str:
        place = f"line {self.line}: " if self.line else ""
        return f"{place}{self.where}: {self.message}" if self.where else f"{place}{self.message}"


def check(path: Path, terms: Terms | None = None) -> list[Finding]:
    """All findings about a descriptor and the file it describes, in the order of their lines; no row is read that need not be.

    `terms` is the thesaurus of subjects; None: it is not at hand, and subjects are looked at only as words.
    """
    try:
        text = path.read_text(encoding="utf-8")
        descriptor = Descriptor.model_validate(tomllib.loads(text))
    except FileNotFoundError:
        raise DataError("there is no such file.", source=str(path)) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        return [Finding(getattr(error, "lineno", 0), "", f"this is not TOML: {error}")]
    except ValidationError as error:
        return sorted(Finding(line, where, message) for line, where, message in explain(text, error))
    return sorted(_findings(path, text, descriptor, terms))


def _findings(path: Path, text: str, descriptor: Descriptor, terms: Terms | None) -> Iterator[Finding]:
    place = line_of(text, ["resource"]) or 0
    if descriptor.resource.schema_name in RESERVED_SCHEMAS:
        line = line_of(text, ["resource", "schema"]) or 0
        yield Finding(line, "resource.schema", f"{descriptor.resource.schema_name!r} is reserved; choose another one")
    for key, why in ADVISED.items():
        if not getattr(descriptor.resource, key):
            yield Finding(place, f"resource.{key}", f"missing: {why}", is_fault=False)
    for note in subject_notes(descriptor, terms):
        yield Finding(line_of(text, ["resource", "subjects"]) or place, "resource.subjects", note, is_fault=False)
    for number, entry in enumerate(entries(descriptor)):
        where = () if descriptor.table is not None else ("tables", str(number))
        yield from _table(path, entry, Places(text, where))


def subject_notes(descriptor: Descriptor, terms: Terms | None) -> list[str]:
    """What is to be said of the subjects: those that are no terms of the thesaurus, with what may be meant (VOResource 1.2 §3.1.4)."""
    return [fault for subject in descriptor.resource.subjects if (fault := subject_fault(subject, terms)) is not None]


@dataclass(frozen=True, slots=True)
class Places:
    """Where the keys of one table stand: `prefix` is empty for ``[table]``, else ``tables`` and the number."""

    text: str
    prefix: tuple[str, ...]

    def at(self, *keys: str) -> tuple[int, str]:
        """The line and the spelling of a key."""
        path = [*self.prefix, *keys] if self.prefix else [*(() if keys[0] in ("columns", "keys") else ("table",)), *keys]
        return line_of(self.text, path) or 0, ".".join(path)


def _table(path: Path, entry: Entry, places: Places) -> Iterator[Finding]:
    for name, section in entry.columns.items():
        yield from _unit(section.unit, *places.at("columns", name, "unit"))
        yield from _ucd(section.ucd, *places.at("columns", name, "ucd"))
    if entry.table.view is not None:
        return
    try:
        source = open_table(path.parent / entry.table.source, entry.table.part, tuple(entry.table.nulls), layout=entry.layout)
    except DataError as error:
        yield Finding(*places.at("source"), str(error))
        return
    yield from _columns(source, entry, places)


def _columns(source: Source, entry: Entry, places: Places) -> Iterator[Finding]:
    """What the descriptor says of columns against the file's own."""
    known = {column.name for column in source.columns}
    for name in entry.columns:
        if name not in known:
            others = ", ".join(column.name for column in source.columns)
            yield Finding(*places.at("columns", name), f"there is no such column in the file; there are {others}")
    if entry.table.only_described:
        if not known & set(entry.columns):
            yield Finding(*places.at("only_described"), "no column is left: describe those to publish in [columns]")
            return
        source = source.limited_to(known & set(entry.columns))
    renamed = [replaced.name or name for name, replaced in entry.columns.items() if name in known]
    names = [name for name in (column.name for column in source.columns) if name not in entry.columns] + renamed
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield Finding(*places.at("columns"), f"two columns would be called {name!r}")
    for section in ("frames", "groups"):
        for number, one in enumerate(getattr(entry.table, section)):
            for name in one.columns:
                if name not in names:
                    yield Finding(*places.at(section, str(number), "columns"), f"{name!r} is no column of the table")
    for name, replaced in entry.columns.items():
        if replaced.note is not None and replaced.note not in entry.table.notes:
            yield Finding(*places.at("columns", name, "note"), f"there is no note {replaced.note!r} in the notes of the table")
    for number, key in enumerate(entry.keys):
        for name in key.columns:
            if name not in names:
                yield Finding(*places.at("keys", str(number), "columns"), f"a key names {name!r}, which is no column of the table")
    yield from _position(source, entry, places)
    undescribed = [
        column.name
        for column in source.columns
        if not column.description and not (column.name in entry.columns and entry.columns[column.name].description)
    ]
    if undescribed:
        listed = ", ".join(undescribed[:8]) + (" …" if len(undescribed) > 8 else "")
        yield Finding(*places.at("columns"), f"{len(undescribed)} have no description: {listed}", is_fault=False)


def _position(source: Source, entry: Entry, places: Places) -> Iterator[Finding]:
    table = entry.table
    if (table.ra is None) != (table.dec is None):
        yield Finding(*places.at("ra" if table.ra else "dec"), "ra and dec go together")
    elif table.ra is not None and table.dec is not None and table.position:
        columns, _ = safe_names([_as_published(column, entry.columns.get(column.name)) for column in source.columns])
        try:
            given_position(columns, table.ra, table.dec, "")
        except DataError as error:
            yield Finding(*places.at("ra"), str(error))


def _as_published(column: Column, said: ColumnSection | None) -> Column:
    """The column under the name and with the unit that the descriptor gives it."""
    if said is None:
        return column
    return replace(column, name=said.name or column.name, unit=column.unit if said.unit is None else vounit(said.unit)[0])


def _unit(unit: str | None, line: int, where: str) -> Iterator[Finding]:
    if unit and vounit(unit)[1]:
        near = nearest_unit(unit)
        yield Finding(line, where, f"{unit!r} is no unit of VOUnits" + (f"; did you mean {near!r}?" if near else ""))
    elif unit and (spelled := vounit(unit)[0]) != unit.strip():
        yield Finding(line, where, f"{unit!r} will be written {spelled!r}, as VOUnits has it", is_fault=False)


def _ucd(ucd: str | None, line: int, where: str) -> Iterator[Finding]:
    if not ucd:
        return
    modern, remark = checked_ucd(ucd)
    near = nearest_ucd(ucd)
    hint = f"; did you mean {near!r}?" if near and near != modern else ""
    if remark or modern is None:
        yield Finding(line, where, f"{ucd!r} is no UCD{hint}")
    elif not is_controlled(modern):
        yield Finding(line, where, f"{ucd!r} is not in the UCD1+ vocabulary, or its words stand where they may not{hint}")

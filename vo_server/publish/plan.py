"""From options, descriptor, file and inference (in this order of precedence) to what will be published."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow

from vo_server.errors import DataError, EmbargoError
from vo_server.formats.readers import Source, open_other, open_table, refuse_stream
from vo_server.formats.readers.infer import (
    Pair,
    declared_id,
    find_position,
    fold,
    given_position,
    id_candidates,
    plausible,
    safe_names,
    time_columns,
    with_position,
)
from vo_server.formats.readers.source import annotated
from vo_server.model.columns import Column, Group, served_xtype
from vo_server.publish.descriptor import IDENTIFIER, ColumnSection, Entry, read_entry
from vo_server.publish.options import PublishOptions

DEFAULT_SCHEMA = "data"
RESERVED_SCHEMAS = ("tap_schema", "tap_upload", "ivoa", "public", "vo", "vo_data", "rr", "information_schema")
MAX_COLUMNS = 1500
"""PostgreSQL allows 1600 in a table, less in some results."""


@dataclass(frozen=True, slots=True)
class Plan:
    """All that is decided before a row is read. ``columns`` correspond to the source's by position, under their final names."""

    source: Source
    schema: str
    table: str
    resource: str
    title: str
    description: str | None
    table_title: str | None
    table_description: str | None
    columns: tuple[Column, ...]
    position: Pair | None
    id_column: str | None
    id_candidates: tuple[str, ...]
    times: tuple[Column, ...]
    descriptor: Entry | None
    notes: tuple[str, ...]
    nulls: tuple[str, ...] = ()
    partition_rows: int | None = None

    @property
    def full_name(self) -> str:
        """``schema.table``."""
        return f"{self.schema}.{self.table}"

    def batches(self) -> Iterator[pyarrow.RecordBatch]:
        """The source's batches under the final names."""
        names = [column.name for column in self.columns]
        for batch in self.source.batches():
            yield batch.rename_columns(names)


def make_plan(path: Path, options: PublishOptions) -> Plan:
    """The plan for a data file or a descriptor. DataError says what does not fit."""
    refuse_stream(path)
    descriptor = read_entry(path, options.entry) if path.suffix.lower() == ".toml" else None
    if descriptor is not None and descriptor.table.view is not None:
        raise DataError("a view has no rows of its own, only those of published tables.", source=path.name, hint="Publish it to see them.")
    data = path if descriptor is None else path.parent / descriptor.table.source
    said = _merged(options, descriptor)
    if said.beside is not None and said.part is not None:
        source = open_other(said.beside, said.part)
    else:
        source = open_table(data, said.part, said.nulls, layout=descriptor.layout if descriptor else None)
    return _planned(source, descriptor, said, DEFAULT_SCHEMA, fold(_stem(data)), _stem(data))


def refuse_embargoed(plan: Plan, now: datetime) -> None:
    """EmbargoError if the descriptor says that the table is not to be published yet: then not even a load may exist."""
    until = plan.descriptor.table.embargo if plan.descriptor else None
    if until is not None and now.astimezone(UTC).date() < until:
        raise EmbargoError(f"{plan.full_name} is under embargo until {until}.", hint="Publish it again when the day has come.")


def plan_of(source: Source, descriptor: Entry | None, options: PublishOptions, *, schema: str | None, table: str) -> Plan:
    """The plan for a source that is no file; `schema` and `table` are its names unless options or descriptor give others."""
    return _planned(source, descriptor, _merged(options, descriptor), schema or DEFAULT_SCHEMA, fold(table), table)


def _planned(source: Source, descriptor: Entry | None, said: PublishOptions, schema: str, table: str, stem: str) -> Plan:
    if descriptor is not None and descriptor.table.only_described:
        source = source.limited_to(descriptor.columns)
    path = source.path
    schema = checked_name(said.schema or schema, "schema")
    if schema in RESERVED_SCHEMAS or schema.startswith("pg_"):
        raise DataError(
            f"the schema {schema!r} is reserved.", source=path.name, hint="Choose another one with --schema; the default is `data`."
        )
    table = checked_name(said.table or table, "table")
    if len(source.columns) > MAX_COLUMNS:
        raise DataError(
            f"there are {len(source.columns)} columns; PostgreSQL holds {MAX_COLUMNS}.", source=path.name, hint="Publish it in parts."
        )
    columns, notes = _described(list(source.columns), descriptor, path.name)
    columns, renamed = safe_names(columns)
    columns = [replace(column, xtype=served_xtype(column.xtype)) for column in columns]
    pair, why = _position(replace(source, columns=tuple(columns)), said)
    if pair is not None:
        columns, marked = with_position(columns, pair)
        why += marked
    columns = grouped(framed(columns, descriptor, pair, path.name), descriptor, path.name)
    declared = declared_id(columns)
    resource = descriptor.resource if descriptor else None
    return Plan(
        source,
        schema,
        table,
        checked_name(said.resource or table, "resource"),
        said.title or source.title or (f"{stem}: {said.part}" if said.part else stem),
        said.description or source.description,
        descriptor.table.title if descriptor else None,
        (descriptor.table.description if descriptor else None) or source.description or (resource.description if resource else None),
        tuple(columns),
        pair,
        declared,
        () if declared else tuple(id_candidates(columns)),
        tuple(time_columns(columns)),
        descriptor,
        (*source.notes, *notes, *renamed, *why),
        said.nulls,
        said.partition_rows,
    )


def checked_name(name: str, what: str) -> str:
    """A name of a schema, table or resource, in lower case; DataError if it would need quotes in ADQL."""
    lower = name.lower()
    if not re.fullmatch(IDENTIFIER, lower) or len(lower) > 60:
        raise DataError(
            f"{name!r} cannot be the name of a {what}.", hint="Take at most 60 letters, digits and underscores, beginning with a letter."
        )
    return lower


def _stem(path: Path) -> str:
    """The file's name without its endings of format and compression: ``gll_psc_v35.fit.gz`` → ``gll_psc_v35``."""
    name = path.name
    for ending in (r"\.gz$", r"\.(fits?|fit|vot|votable|xml|ecsv|csv|tsv|tab|parquet|parq|h5|hdf5?|root|txt|dat)$"):
        name = re.sub(ending, "", name, flags=re.IGNORECASE)
    return name


def _merged(options: PublishOptions, descriptor: Entry | None) -> PublishOptions:
    """The flags, and the descriptor where they are silent."""
    if descriptor is None:
        return options
    resource, table = descriptor.resource, descriptor.table
    said: dict[str, Any] = {
        "schema": resource.schema_name,
        "table": table.name,
        "resource": resource.name,
        "part": table.part,
        "ra": table.ra,
        "dec": table.dec,
        "title": resource.title,
        "description": resource.description,
    }
    silent = {key: value for key, value in said.items() if getattr(options, key) is None}
    return replace(options, **silent, nulls=options.nulls or tuple(table.nulls), position=options.position and table.position)


def _described(columns: list[Column], descriptor: Entry | None, source: str) -> tuple[list[Column], list[str]]:
    """The columns with what the descriptor says of them; DataError names a column that does not exist."""
    if descriptor is None:
        return columns, []
    notes: list[str] = []
    for name, section in descriptor.columns.items():
        places = [place for place, column in enumerate(columns) if column.name == name]
        if not places:
            known = ", ".join(column.name for column in columns)
            raise DataError(f"[columns.{name}] describes a column that is not in the file.", source=source, hint=f"Columns are: {known}.")
        columns[places[0]], more = _overridden(columns[places[0]], section, descriptor.table.notes, source)
        notes += more
    names = [column.name for column in columns]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise DataError(f"two columns are called {twice[0]!r}.", source=source, hint="Change a name in [columns].")
    return columns, notes


def framed(columns: list[Column], descriptor: Entry | None, position: Pair | None, source: str) -> list[Column]:
    """The columns with frame and epoch of their coordinates. DataError for a position that is not where searches look for it."""
    found = list(columns)
    for section in descriptor.table.frames if descriptor else ():
        place = [position.ra, position.dec] if position else []
        for name in section.columns or place:
            index = _place(found, name, "frames", source)
            if name in place and section.frame not in (None, "ICRS", "FK5"):
                raise DataError(
                    f"{name} is searched as ICRS, and its frame is said to be {section.frame}.",
                    source=source,
                    hint="Publish ICRS coordinates beside it, or set position = false.",
                )
            found[index] = replace(found[index], frame=section.frame or found[index].frame, epoch=section.epoch or found[index].epoch)
    return found


def grouped(columns: list[Column], descriptor: Entry | None, source: str) -> list[Column]:
    """The columns with the group that each belongs to, which is one at most."""
    found = list(columns)
    for section in descriptor.table.groups if descriptor else ():
        for name in section.columns:
            index = _place(found, name, "groups", source)
            if found[index].group is not None:
                raise DataError(f"{name} is in two of the groups.", source=source, hint="A column belongs to one group.")
            found[index] = replace(found[index], group=Group(section.name, section.description))
    return found


def _place(columns: list[Column], name: str, section: str, source: str) -> int:
    names = [column.name for column in columns]
    if name not in names:
        raise DataError(
            f"one of the {section} names {name}, which is no column of the table.", source=source, hint=f"There are: {', '.join(names)}."
        )
    return names.index(name)


def _overridden(column: Column, section: ColumnSection, notes: Mapping[str, str], source: str) -> tuple[Column, list[str]]:
    given = section.model_dump(exclude_none=True, exclude={"name", "index", "note"})
    if section.note is not None:
        if section.note not in notes:
            hint = f"There are: {', '.join(notes) or 'none'}."
            raise DataError(f"there is no note {section.note!r} in the notes of the table.", source=source, column=column.name, hint=hint)
        said = given.get("description", column.description) or ""
        given["description"] = f"{said} (Note {section.note}: {notes[section.note]})".strip()
    now = {key: given.get(key, getattr(column, key)) for key in ("unit", "ucd", "utype", "description")}
    return annotated(replace(column, name=section.name or column.name, indexed=column.indexed or section.index), **now)


def _position(source: Source, said: PublishOptions) -> tuple[Pair | None, list[str]]:
    name = source.path.name
    if not said.position:
        return None, []
    if (said.ra is None) != (said.dec is None):
        raise DataError("--ra and --dec go together.", source=name)
    if said.ra is not None and said.dec is not None:
        return given_position(source.columns, said.ra, said.dec, name), []
    places = {column.name: place for place, column in enumerate(source.columns)}

    def in_range(ra: str, dec: str) -> bool:
        return plausible((batch.column(places[ra]), batch.column(places[dec])) for batch in source.batches())

    return find_position(source.columns, in_range)

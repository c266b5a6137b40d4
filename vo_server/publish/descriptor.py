"""A descriptor: one TOML file that says of a resource what its data file does not."""

import difflib
import json
import re
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from vo_server.adql import parse
from vo_server.errors import DataError, QuerySyntaxError
from vo_server.formats.readers import Layout
from vo_server.model.resource import MESSENGERS, Creator

IDENTIFIER = r"^[a-z][a-z0-9_]*$"


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _as_adql(query: str) -> str:
    try:
        parse(query)
    except QuerySyntaxError as error:
        told = " ".join(part for part in (error.message, error.hint) if part)
        raise ValueError(f"line {error.line}, column {error.column} of the query: {told.rstrip('.')}") from None
    return query.strip()


def _as_messenger(word: str) -> str:
    """A word of the vocabulary in its own spelling; others would be left out of the record."""
    found = next((one for one in MESSENGERS if one.lower() == word.strip().lower()), None)
    if found is None:
        raise ValueError(f"{word!r} is not one of {', '.join(MESSENGERS)}")
    return found


Texts = Annotated[list[str], BeforeValidator(_as_list)]
"""One text or a list of them."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CreatorSection(_Section):
    """An author with an identifier."""

    name: str = Field(description='"Last, F."')
    orcid: str | None = Field(None, description="ORCID iD, sixteen digits in groups of four.", pattern=r"^\d{4}-\d{4}-\d{4}-\d{3}[\dX]$")


class ResourceSection(_Section):
    """What the registry says."""

    schema_name: str | None = Field(None, alias="schema", description="Schema of its tables; default: data.", pattern=IDENTIFIER)
    name: str | None = Field(None, description="Last part of its ivoid; default: the table's name.", pattern=IDENTIFIER)
    title: str | None = None
    short_name: str | None = Field(None, max_length=16, description="At most 16 characters.")
    description: str | None = None
    creators: list[str | CreatorSection] = Field(default_factory=list, description="Authors, each a name or a name with an ORCID iD.")
    subjects: Texts = Field(default_factory=list, description="Words of the Unified Astronomy Thesaurus.")
    reference_url: str | None = Field(None, description="A page about it.", pattern=r"^https?://")
    source: str | None = Field(None, description="Bibcode of the article that describes it.")
    doi: str | None = Field(None, pattern=r"^10\.\d{4,}/\S+$")
    rights: str | None = None
    rights_uri: str | None = Field(None, description="Address of the licence.", pattern=r"^https?://")
    facility: Texts = Field(default_factory=list)
    instrument: Texts = Field(default_factory=list)
    waveband: Annotated[list[Annotated[str, AfterValidator(_as_messenger)]], BeforeValidator(_as_list)] = Field(
        default_factory=list, description="Words of the messenger vocabulary: Gamma-ray, Optical, Neutrino …"
    )
    content_level: Texts = Field(default_factory=lambda: ["Research"])
    type: Texts = Field(default_factory=lambda: ["Catalog"])

    @property
    def facts(self) -> dict[str, Any]:
        """What it says that no data can tell, under the names of `model.resource.Resource`."""
        return {
            "short_name": self.short_name,
            "creators": self.people,
            "subjects": tuple(self.subjects),
            "reference_url": self.reference_url,
            "source": self.source,
            "doi": self.doi,
            "rights": self.rights,
            "rights_uri": self.rights_uri,
            "content_level": tuple(self.content_level),
        }

    @property
    def people(self) -> tuple[Creator, ...]:
        """The creators as the model has them."""
        return tuple(Creator(one) if isinstance(one, str) else Creator(one.name, one.orcid) for one in self.creators)


class LayoutSection(_Section):
    """How the lines of a text table become rows, if they are neither CSV nor TSV with names above them."""

    names: list[str] = Field(default_factory=list, description="Names of the columns; default: the words of the line above the rows.")
    separator: str | None = Field(None, description="The character between cells; default: blanks.", min_length=1, max_length=1)
    places: dict[str, Annotated[str, Field(pattern=r"^\d+(-\d*)?$")]] = Field(
        default_factory=dict, description='Columns at fixed places: name = "first-last", characters counted from 1.'
    )
    skip: int = Field(0, description="Lines above the rows, whatever they hold.", ge=0)
    comment: str = Field("#", description="How lines begin that are no rows; empty: there are none.")

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if self.places and (self.names or self.separator):
            raise ValueError("places name their columns themselves: there is neither names nor separator beside them")
        return self

    @property
    def layout(self) -> Layout:
        """As readers take it."""
        spans = (place.partition("-") for place in self.places.values())
        return Layout(
            tuple(self.places) or tuple(self.names),
            self.separator,
            tuple((int(first), int(last) if last else None if dash else int(first)) for first, dash, last in spans),
            self.skip,
            self.comment,
        )


class FrameSection(_Section):
    """What coordinates refer to."""

    columns: Texts = Field(default_factory=list, description="The columns with them; default: ra and dec of the table.")
    frame: Literal["ICRS", "FK5", "FK4", "GALACTIC", "ECLIPTIC", "SUPER_GALACTIC"] | None = Field(
        None, description="Their frame, a word of the IVOA's vocabulary refframe; default: what their UCDs tell."
    )
    epoch: str | None = Field(None, description="The instant for which they hold, as J1991.25.", pattern=r"^[JB]\d+(\.\d*)?$")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.frame is None and self.epoch is None:
            raise ValueError("there must be a frame, or an epoch")
        return self


class GroupSection(_Section):
    """Columns that belong together: a value and its errors, the coordinates of a position."""

    name: str = Field(min_length=1)
    columns: list[str] = Field(min_length=1)
    description: str | None = None


class TableSection(_Section):
    """The table, and where its rows come from."""

    name: str | None = Field(None, description="Name in TAP; default: the file's, folded.", pattern=IDENTIFIER)
    source: str = Field(
        "", description="The data file, relative to the descriptor; with --in-place the table in the database, as schema.table."
    )
    view: Annotated[str, AfterValidator(_as_adql)] | None = Field(
        None, description="Instead of a source: the ADQL query over published tables whose rows it shows."
    )
    part: str | None = Field(None, description="Which of the file's tables, by name; default: the first.")
    title: str | None = None
    description: str | None = None
    ra: str | None = Field(None, description="Column of right ascensions, ICRS degrees.")
    dec: str | None = Field(None, description="Column of declinations, ICRS degrees.")
    position: bool = Field(True, description="False: it has no positions, whatever it looks like.")
    nulls: Texts = Field(default_factory=list, description="Spellings of missing values in CSV and TSV, besides the empty one.")
    layout: LayoutSection | None = Field(None, description="For text tables that are neither CSV nor TSV.")
    only_described: bool = Field(False, description="Only columns of the file that stand in [columns] are published.")
    embargo: date | None = Field(None, description="It is not published before this day (UTC).")
    frames: list[FrameSection] = Field(default_factory=list, description="Frames and epochs of coordinates.")
    groups: list[GroupSection] = Field(default_factory=list, description="Columns that belong together.")
    notes: dict[str, str] = Field(default_factory=dict, description="Notes on columns, by what their key note says.")

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if bool(self.source) == (self.view is not None):
            raise ValueError("there must be a source, or a view")
        if self.view is not None and self.name is None:
            raise ValueError("a view needs a name")
        return self


class ColumnSection(_Section):
    """What a column is; each key overrides the file. An empty text removes what the file says."""

    name: str | None = Field(None, description="Another name.", min_length=1)
    unit: str | None = None
    ucd: str | None = None
    utype: str | None = None
    description: str | None = None
    index: bool = Field(False, description="Whether to index it: for columns that queries often compare with values.")
    note: str | None = Field(None, description="Which of the table's notes belongs to its description.")


class KeySection(_Section):
    """A foreign key: rows of this table belong to rows of another published one."""

    columns: Texts = Field(description="Columns of this table.", min_length=1)
    target: str = Field(description="The other table, as schema.table.", pattern=r"^\w+\.\w+$")
    target_columns: Texts = Field(default_factory=list, description="Columns of the other table; default: of the same names.")
    description: str | None = None

    @model_validator(mode="after")
    def _paired(self) -> Self:
        if self.target_columns and len(self.target_columns) != len(self.columns):
            raise ValueError("columns and target_columns are not equally many")
        return self

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """(column, target column) each."""
        return tuple(zip(self.columns, self.target_columns or self.columns, strict=True))


class OneOfTables(TableSection):
    """One of several tables of a resource, each with columns and keys of its own."""

    columns: dict[str, ColumnSection] = Field(default_factory=dict, description="By the column's name in the file.")
    keys: list[KeySection] = Field(default_factory=list, description="Foreign keys.")


class ExampleSection(_Section):
    """A query that shows what the table is good for."""

    title: str = Field(description="What the query finds, in a few words.", min_length=1)
    query: Annotated[str, AfterValidator(_as_adql)] = Field(description="ADQL that runs as it stands.")
    description: str | None = None


class Descriptor(_Section):
    """A descriptor file."""

    resource: ResourceSection = Field(default_factory=lambda: ResourceSection.model_validate({}))
    table: TableSection | None = Field(None, description="Its only table; several stand in [[tables]].")
    tables: list[OneOfTables] = Field(default_factory=list, description="Its tables, if there are several: published one after the other.")
    keys: list[KeySection] = Field(default_factory=list, description="Foreign keys of [table].")
    columns: dict[str, ColumnSection] = Field(default_factory=dict, description="By the column's name in the file.")
    examples: list[ExampleSection] = Field(default_factory=list, description="Queries to begin with, shown at /tap/examples.")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.table is None) == (not self.tables):
            raise ValueError("there must be one [table], or several [[tables]]")
        if self.tables and (self.columns or self.keys):
            raise ValueError("with [[tables]] columns and keys stand in each of them: [tables.columns.x], [[tables.keys]]")
        if self.tables and self.resource.name is None:
            raise ValueError("with [[tables]] the resource needs a name")
        return self


@dataclass(frozen=True, slots=True)
class Entry:
    """What a descriptor says of one of its tables. ``examples`` stand with the first."""

    resource: ResourceSection
    table: TableSection
    columns: Mapping[str, ColumnSection]
    keys: Sequence[KeySection]
    examples: Sequence[ExampleSection]

    @property
    def layout(self) -> Layout | None:
        """How its lines become rows, if the descriptor says it."""
        return self.table.layout.layout if self.table.layout else None


def entries(descriptor: Descriptor) -> tuple[Entry, ...]:
    """The tables of a descriptor, one or several, in their order. Those of one file have their resource's name from the first."""
    if descriptor.table is not None:
        return (Entry(descriptor.resource, descriptor.table, descriptor.columns, descriptor.keys, descriptor.examples),)
    return tuple(
        Entry(descriptor.resource, one, one.columns, one.keys, () if place else descriptor.examples)
        for place, one in enumerate(descriptor.tables)
    )


def read_entry(path: Path, place: int = 0) -> Entry:
    """What the descriptor in a TOML file says of the table at `place` (from 0). DataError as `read_descriptor`."""
    return entries(read_descriptor(path))[place]


def read_descriptor(path: Path) -> Descriptor:
    """The descriptor in a TOML file. DataError names the key, and the line where it can be found."""
    try:
        text = path.read_text(encoding="utf-8")
        return Descriptor.model_validate(tomllib.loads(text))
    except FileNotFoundError:
        raise DataError("there is no such file.", source=str(path)) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"this is not TOML: {error}.", source=path.name) from None
    except ValidationError as error:
        faults = "; ".join(f"{where}{f' (line {line})' if line else ''}: {message}" for line, where, message in explain(text, error))
        raise DataError(f"{faults}.", source=path.name) from None


def explain(text: str, error: ValidationError) -> list[tuple[int, str, str]]:
    """What does not fit the model: (line, key, message) each; line 0 where it cannot be found."""
    found = []
    for fault in error.errors():
        keys = [str(key) for key in fault["loc"] if not str(key).endswith("Section") and key != "str"]
        own = fault.get("ctx", {}).get("error")  # a ValueError of ours, which pydantic's message would introduce as one
        message = _unknown_key(keys) if fault["type"] == "extra_forbidden" else str(own or fault["msg"])
        found.append((line_of(text, keys) or 0, ".".join(keys), f"{message[:1].lower()}{message[1:]}"))
    return found


def _unknown_key(path: Sequence[str]) -> str:
    """What to say of a key that is none: the nearest that is, or all that could stand there."""
    known = _keys_beside(path)
    near = difflib.get_close_matches(path[-1], known, 1)
    return f"there is no such key, but {near[0]}" if near else f"there is no such key, only {', '.join(known)}"


def _keys_beside(path: Sequence[str]) -> list[str]:
    """The keys that can stand where `path` ends, by the JSON Schema."""
    schema = Descriptor.model_json_schema(by_alias=True)
    nodes = [schema]
    for step in path[:-1]:
        inner = [node.get("properties", {}).get(step) or node.get("items") or node.get("additionalProperties") for node in nodes]
        nodes = [one for node in inner if node for one in node.get("anyOf", [node])]
        nodes = [schema["$defs"][node["$ref"].rpartition("/")[2]] if "$ref" in node else node for node in nodes]
        nodes = [node for node in nodes if {"properties", "items", "additionalProperties"} & node.keys()]
    return sorted({key for node in nodes for key in node.get("properties", {})})


def line_of(text: str, keys: Sequence[str]) -> int | None:
    """The line (from 1) on which a key, or else its section, stands. `keys` is its path; elements of arrays are numbers."""
    wanted, found = list(keys), None
    section: list[str] = []
    counts: Counter[str] = Counter()
    for number, line in enumerate(text.splitlines(), 1):
        if head := HEADER.match(line):
            section = _path(head[2], counts, is_element=head[1] == "[[")
            if section and section == wanted[: len(section)]:
                found = number
        elif key := KEY.match(line):
            path = [*section, *_split(key[1])]
            if path == wanted[: len(path)]:
                return number
    return found


HEADER = re.compile(r"\s*(\[\[?)\s*(.+?)\s*\]\]?\s*(?:#.*)?$")
KEY = re.compile(r"\s*((?:\"[^\"]*\"|'[^']*'|[\w-]+)(?:\s*\.\s*(?:\"[^\"]*\"|'[^']*'|[\w-]+))*)\s*=")
PART = re.compile(r"\"([^\"]*)\"|'([^']*)'|([\w-]+)")


def _split(dotted: str) -> list[str]:
    """The parts of a dotted key of TOML."""
    return [quoted or literal or bare for quoted, literal, bare in PART.findall(dotted)]


def _path(dotted: str, counts: Counter[str], *, is_element: bool) -> list[str]:
    """The path of a section: below an array of tables it belongs to the last of its elements so far."""
    parts, path = _split(dotted), []
    for place, part in enumerate(parts, 1):
        path.append(part)
        name = ".".join(parts[:place])
        if is_element and place == len(parts):
            counts[name] += 1
        if counts[name]:
            path.append(str(counts[name] - 1))
    return path


def descriptor_schema() -> str:
    """The JSON Schema of a descriptor, as ``schemas/resource.schema.json`` holds it."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Descriptor.model_json_schema(by_alias=True)}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"

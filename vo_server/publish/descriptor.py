"""A descriptor: one TOML file that says of a resource what its data file does not."""

import json
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from vo_server.adql import parse
from vo_server.errors import DataError, QuerySyntaxError
from vo_server.model.resource import Creator

IDENTIFIER = r"^[a-z][a-z0-9_]*$"


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _as_adql(query: str) -> str:
    try:
        parse(query)
    except QuerySyntaxError as error:
        raise ValueError(str(error)) from None
    return query.strip()


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
    waveband: Texts = Field(default_factory=list, description="Words of the messenger vocabulary: Gamma-ray, Optical, Neutrino …")
    content_level: Texts = Field(default_factory=lambda: ["Research"])
    type: Texts = Field(default_factory=lambda: ["Catalog"])

    @property
    def people(self) -> tuple[Creator, ...]:
        """The creators as the model has them."""
        return tuple(Creator(one) if isinstance(one, str) else Creator(one.name, one.orcid) for one in self.creators)


class TableSection(_Section):
    """The table, and where its rows come from."""

    name: str | None = Field(None, description="Name in TAP; default: the file's, folded.", pattern=IDENTIFIER)
    source: str = Field(
        description="The data file, relative to the descriptor; with --in-place the table in the database, as schema.table."
    )
    part: str | None = Field(None, description="Which of the file's tables, by name; default: the first.")
    title: str | None = None
    description: str | None = None
    ra: str | None = Field(None, description="Column of right ascensions, ICRS degrees.")
    dec: str | None = Field(None, description="Column of declinations, ICRS degrees.")
    position: bool = Field(True, description="False: it has no positions, whatever it looks like.")
    nulls: Texts = Field(default_factory=list, description="Spellings of missing values in CSV and TSV, besides the empty one.")


class ColumnSection(_Section):
    """What a column is; each key overrides the file. An empty text removes what the file says."""

    name: str | None = Field(None, description="Another name.", min_length=1)
    unit: str | None = None
    ucd: str | None = None
    utype: str | None = None
    description: str | None = None


class ExampleSection(_Section):
    """A query that shows what the table is good for."""

    title: str = Field(description="What the query finds, in a few words.", min_length=1)
    query: Annotated[str, AfterValidator(_as_adql)] = Field(description="ADQL that runs as it stands.")
    description: str | None = None


class Descriptor(_Section):
    """A descriptor file."""

    resource: ResourceSection = Field(default_factory=lambda: ResourceSection.model_validate({}))
    table: TableSection
    columns: dict[str, ColumnSection] = Field(default_factory=dict, description="By the column's name in the file.")
    examples: list[ExampleSection] = Field(default_factory=list, description="Queries to begin with, shown at /tap/examples.")


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
        raise DataError(f"{faults}.", source=path.name, hint="All keys are in schemas/resource.schema.json.") from None


def explain(text: str, error: ValidationError) -> list[tuple[int, str, str]]:
    """What does not fit the model: (line, key, message) each; line 0 where it cannot be found."""
    found = []
    for fault in error.errors():
        keys = [str(key) for key in fault["loc"] if not str(key).endswith("Section") and key != "str"]
        message = fault["msg"]
        found.append((line_of(text, keys) or 0, ".".join(keys), f"{message[:1].lower()}{message[1:]}"))
    return found


def line_of(text: str, keys: list[str]) -> int | None:
    """The line (from 1) on which the key, or else its section, stands."""
    section, found = "", None
    for number, line in enumerate(text.splitlines(), 1):
        head = re.match(r"\s*\[\[?\s*(.+?)\s*\]\]?\s*(#.*)?$", line)
        if head:
            section = head[1].replace('"', "")
            found = number if section == ".".join(keys[: len(section.split("."))]) else found
        path = section.split(".") if section else []
        rest = [key for key in keys[len(path) :] if not key.isdigit()]
        if keys[: len(path)] == path and rest and re.match(rf'\s*"?{re.escape(rest[0])}"?\s*[=.]', line):
            return number
    return found


def descriptor_schema() -> str:
    """The JSON Schema of a descriptor, as ``schemas/resource.schema.json`` holds it."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Descriptor.model_json_schema(by_alias=True)}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"

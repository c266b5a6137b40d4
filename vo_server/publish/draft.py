"""A descriptor to begin with: everything that a file says and that could be inferred from it, as TOML with comments."""

import json
from collections.abc import Iterator
from pathlib import Path

from vo_server.errors import DataError
from vo_server.model.columns import Column
from vo_server.publish.descriptor import ResourceSection
from vo_server.publish.options import PublishOptions
from vo_server.publish.plan import Plan, make_plan

WANTED = {
    "short_name": '"My sources"',
    "creators": '["Last, F.", { name = "Other, A.", orcid = "0000-0000-0000-0000" }]',
    "subjects": '["words-of-the-unified-astronomy-thesaurus"]',
    "reference_url": '"https://a.page/about/it"',
    "source": '"2023ApJS..269...25A"',
    "doi": '"10.1234/abc"',
    "rights": '"CC BY 4.0"',
    "rights_uri": '"https://creativecommons.org/licenses/by/4.0/"',
    "facility": '["name of the telescope"]',
    "instrument": '["name of the instrument"]',
    "waveband": '["Gamma-ray"]',
}
"""Keys of ``[resource]`` that no file says → what they look like."""


def draft(path: Path, options: PublishOptions) -> str:
    """The text of a descriptor for the table of a data file; DataError says why the file cannot be read."""
    if path.suffix.lower() == ".toml":
        raise DataError("this is a descriptor already.", source=path.name, hint="vo check says what is wrong with it.")
    plan = make_plan(path, options)
    parts = (_head(plan, path), _resource(plan), _table(plan, path, options), *(_column(column) for column in plan.columns), _example(plan))
    return "\n".join("\n".join(part) + "\n" for part in parts)


def _head(plan: Plan, path: Path) -> Iterator[str]:
    rows = f"{plan.source.nrows:,} rows, " if plan.source.nrows is not None else ""
    yield f"# Drafted from {path.name}: {rows}{len(plan.columns)} columns. Complete what is commented out, then"
    yield f"#     vo check {path.stem}.toml"
    yield f"#     vo publish {path.stem}.toml"
    for note in plan.notes:
        yield f"# * {note}"


def _resource(plan: Plan) -> Iterator[str]:
    yield "[resource]  # what the Registry says of it"
    yield f"schema = {_text(plan.schema)}"
    yield f"name = {_text(plan.resource)}"
    yield f"title = {_text(plan.title)}"
    if plan.description:
        yield f"description = {_text(plan.description)}"
    else:
        yield '# description = "What it is, how it was made, what it is good for: a few sentences for people who do not know it"'
    for key, example in WANTED.items():
        about = ResourceSection.model_fields[key].description
        yield f"# {key} = {example}" + (f"  # {about}" if about else "")


def _table(plan: Plan, path: Path, options: PublishOptions) -> Iterator[str]:
    yield "[table]"
    yield f"source = {_text(path.name)}"
    if options.part:
        yield f"part = {_text(options.part)}"
    yield f"name = {_text(plan.table)}"
    yield '# description = "What one row is"'
    if plan.position is not None:
        yield f"ra = {_text(plan.position.ra)}"
        yield f"dec = {_text(plan.position.dec)}"
    else:
        yield '# ra = "column of right ascensions, ICRS degrees"'
        yield '# dec = "column of declinations, ICRS degrees"'


def _column(column: Column) -> Iterator[str]:
    yield f"[columns.{_key(column.name)}]  # {_kind(column)}"
    for key in ("unit", "ucd", "description"):
        value = getattr(column, key)
        yield f"{key} = {_text(value)}" if value else f'# {key} = ""'
    if column.utype:
        yield f"utype = {_text(column.utype)}"


def _example(plan: Plan) -> Iterator[str]:
    yield "# [[examples]]  # a query that shows what the table is good for"
    yield '# title = "What the query finds"'
    yield f'# query = "SELECT TOP 10 * FROM {plan.full_name}"'  # noqa: S608 for people to read


def _kind(column: Column) -> str:
    if column.is_timestamp:
        return "timestamp"
    if column.is_text:
        return "text"
    return f"{column.datatype}[{column.arraysize}]" if column.is_array else column.datatype


def _key(name: str) -> str:
    """A TOML key: bare where it may be."""
    bare = name and all(character.isascii() and (character.isalnum() or character in "_-") for character in name)
    return name if bare else _text(name)


def _text(value: str) -> str:
    """A TOML text: what JSON writes is one."""
    return json.dumps(value, ensure_ascii=False)

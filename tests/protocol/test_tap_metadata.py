"""TAP_SCHEMA, VOSI's tables and the FIELDs of results say the same of every table (TAP 1.1 §4, VOSI 1.1 §3.3, VODataService 1.2 §3)."""

import re
from collections import defaultdict
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from astropy.io.votable import parse
from lxml import etree
from sqlalchemy import text
from starlette.testclient import TestClient
from votables import VOTABLE

from tests import kinds
from vo_server.model.columns import served_xtype
from vo_server.model.names import bare_full_name
from vo_server.services import Services

KEYS = """\
[[keys]]
target = "sky.stars"
columns = ["code"]
target_columns = ["name"]
description = "The star of that name"
"""

SAID = ("unit", "ucd", "utype", "description", "xtype")


@pytest.fixture
def client(site: Services, client: TestClient, tmp_path: Path) -> TestClient:
    kinds.publish(site.database, site.settings, tmp_path, KEYS)
    site.refresh()
    return client


def ask(client: TestClient, query: str, **more: str) -> list[dict[str, Any]]:
    reply = client.get("/tap/sync", params={"LANG": "ADQL", "RESPONSEFORMAT": "json", "MAXREC": "5000", "QUERY": query, **more})
    assert reply.status_code == 200, reply.text
    body = reply.json()
    return [dict(zip((column["name"] for column in body["metadata"]), row, strict=True)) for row in body["data"]]


def vosi_tables(client: TestClient) -> dict[str, etree._Element]:
    document = etree.fromstring(client.get("/tap/tables").content)
    return {table.findtext("name"): table for table in document.iter("table")}


def declared(client: TestClient) -> dict[str, list[dict[str, Any]]]:
    """Table → rows of TAP_SCHEMA.columns in their order."""
    found = defaultdict(list)
    for row in ask(client, "SELECT * FROM tap_schema.columns ORDER BY table_name, column_index"):
        found[row["table_name"]].append(row)
    return found


def test_schemas_and_tables_are_the_same(client: TestClient) -> None:
    """CHECKLIST META-024 to META-027, TAP-017."""
    document = etree.fromstring(client.get("/tap/tables").content)
    schemas = {row["schema_name"]: row for row in ask(client, "SELECT * FROM tap_schema.schemas")}
    tables = {row["table_name"]: row for row in ask(client, "SELECT * FROM tap_schema.tables")}
    assert len(tables) == len(document.findall("schema/table")), "a name twice, or a table outside a schema"
    for schema in document.iterfind("schema"):
        told = schemas.pop(schema.findtext("name"))
        assert (told["description"], told["utype"]) == (schema.findtext("description"), schema.findtext("utype"))
        for table in schema.iterfind("table"):
            row = tables.pop(table.findtext("name"))
            assert (row["schema_name"], row["table_type"]) == (told["schema_name"], table.get("type"))
            assert row["table_type"] in ("table", "view")
            assert row["utype"] == table.findtext("utype")
            assert row["description"] == (table.findtext("description") or table.findtext("title"))
            assert row["description"], f"{row['table_name']} is not described"
    assert (schemas, tables) == ({}, {})


def test_columns_are_the_same(client: TestClient) -> None:
    """CHECKLIST META-028, META-032 to META-034: VOSI's column elements are the rows of TAP_SCHEMA.columns, flags and all."""
    rows = declared(client)
    for name, table in vosi_tables(client).items():
        for column, row in zip(table.findall("column"), rows.pop(name), strict=True):
            kind = column.find("dataType")
            assert column.findtext("name") == row["column_name"]
            assert (kind.text, kind.get("arraysize"), kind.get("extendedType")) == (row["datatype"], row["arraysize"], row["xtype"])
            assert [column.findtext(word) for word in SAID[:4]] == [row[word] for word in SAID[:4]]
            flags = {flag.text for flag in column.iterfind("flag")}
            assert (int("indexed" in flags), int("principal" in flags)) == (row["indexed"], row["principal"])
            assert (column.get("std") == "true") == bool(row["std"])
            single = re.fullmatch(r"\d+", row["arraysize"] or "")
            assert row["size"] == (int(single[0]) if single else None)
    assert not rows


@pytest.mark.parametrize("form", ["votable", "votable/b2"])
def test_fields_of_all_columns_are_the_same(client: TestClient, form: str) -> None:
    """CHECKLIST TAP-012, TAP-014, META-035: what taplint's stage MDQ compares, for every table."""
    for name, rows in declared(client).items():
        reply = client.get("/tap/sync", params={"LANG": "ADQL", "MAXREC": "0", "RESPONSEFORMAT": form, "QUERY": f"SELECT * FROM {name}"})
        assert reply.status_code == 200, reply.text
        fields = etree.fromstring(reply.content).findall(f".//{VOTABLE}TABLE/{VOTABLE}FIELD")
        assert [field.get("name") for field in fields] == [bare_full_name(f"x.{row['column_name']}")[2:] for row in rows]
        for field, row in zip(fields, rows, strict=True):
            said = {word: field.get(word) for word in ("unit", "ucd", "utype", "xtype")} | {
                "description": field.findtext(f"{VOTABLE}DESCRIPTION")
            }
            assert {word: said[word] for word in SAID} == {word: row[word] for word in SAID}, (name, field.get("name"))
            assert field.get("datatype") == row["datatype"]
            bound = re.fullmatch(r"\d*x?\d+\*", row["arraysize"] or "") is not None or row["datatype"] in ("char", "unicodeChar")
            assert field.get("arraysize") == row["arraysize"] or (bound and form == "votable/b2" and field.get("arraysize") == "*")


def test_keys_are_the_same(client: TestClient) -> None:
    """CHECKLIST META-029, META-030, META-036: foreign keys, between columns that exist and have one type."""
    kinds = {
        (row["table_name"], row["column_name"]): row["datatype"].replace("unicodeChar", "char")
        for rows in declared(client).values()
        for row in rows
    }
    keys = {row["key_id"]: row for row in ask(client, "SELECT * FROM tap_schema.keys")}
    pairs = defaultdict(set)
    for row in ask(client, "SELECT * FROM tap_schema.key_columns"):
        key = keys[row["key_id"]]
        assert kinds[key["from_table"], row["from_column"]] == kinds[key["target_table"], row["target_column"]]
        pairs[row["key_id"]].add((row["from_column"], row["target_column"]))
    told = {(key["from_table"], key["target_table"], key["description"], frozenset(pairs[name])) for name, key in keys.items()}
    shown = {
        (
            table,
            key.findtext("targetTable"),
            key.findtext("description"),
            frozenset((pair.findtext("fromColumn"), pair.findtext("targetColumn")) for pair in key.iterfind("fkColumn")),
        )
        for table, element in vosi_tables(client).items()
        for key in element.iterfind("foreignKey")
    }
    assert told == shown
    assert ("sky.kinds", "sky.stars", "The star of that name", frozenset({("code", "name")})) in told
    own = {(source, target, *next(iter(columns))) for source, target, _, columns in told if source.startswith("tap_schema.")}
    assert own == {
        ("tap_schema.tables", "tap_schema.schemas", "schema_name", "schema_name"),
        ("tap_schema.columns", "tap_schema.tables", "table_name", "table_name"),
        ("tap_schema.keys", "tap_schema.tables", "from_table", "table_name"),
        ("tap_schema.keys", "tap_schema.tables", "target_table", "table_name"),
        ("tap_schema.key_columns", "tap_schema.keys", "key_id", "key_id"),
    }


STANDARD: dict[str, dict[str, tuple[str, ...]]] = {
    "schemas": {"text": ("schema_name", "utype", "description"), "int": ("schema_index",)},
    "tables": {"text": ("schema_name", "table_name", "table_type", "utype", "description"), "int": ("table_index",)},
    "columns": {
        "text": ("table_name", "column_name", "datatype", "arraysize", "xtype", "description", "utype", "unit", "ucd"),
        "int": ('"size"', "indexed", "principal", "std", "column_index"),
    },
    "keys": {"text": ("key_id", "from_table", "target_table", "description", "utype"), "int": ()},
    "key_columns": {"text": ("key_id", "from_column", "target_column"), "int": ()},
}
"""TAP 1.1 §4.1–4.5."""


def test_tap_schema_is_as_the_standard_has_it(client: TestClient) -> None:
    """CHECKLIST META-025 to META-031, META-034: names, types, std; what must not be null is not."""
    rows = declared(client)
    for name, types in STANDARD.items():
        columns = {row["column_name"]: row for row in rows[f"tap_schema.{name}"]}
        assert set(columns) == {*types["text"], *types["int"]}
        assert all(columns[one]["datatype"] in ("char", "unicodeChar") and columns[one]["arraysize"] == "*" for one in types["text"])
        assert all(columns[one]["datatype"] == "int" and columns[one]["arraysize"] is None for one in types["int"])
        assert all(row["std"] == 1 and row["description"] for row in columns.values())
    for row in (row for each in rows.values() for row in each):
        assert {row["indexed"], row["principal"], row["std"]} <= {0, 1}
        assert row["datatype"] in ("boolean", "unsignedByte", "short", "int", "long", "float", "double", "char", "unicodeChar")
    assert all(row["std"] == 1 for table, each in rows.items() if re.match(r"ivoa\.obscore$|rr\.", table) for row in each)
    flags = parse(BytesIO(client.get("/tap/sync", params={"LANG": "ADQL", "QUERY": FLAGS}).content), verify="exception")
    assert {field.datatype for field in flags.get_first_table().fields} == {"int"}


FLAGS = 'SELECT TOP 1 indexed, principal, std, "size", column_index FROM tap_schema.columns'


def test_what_is_said_to_be_indexed_is(site: Services, client: TestClient) -> None:
    """CHECKLIST META-037: a column has an index of its own or, for positions, one on the cells of the sky or the region."""
    with site.database.engine.connect() as connection:
        defined = connection.execute(text("SELECT schemaname || '.' || tablename, indexdef FROM pg_indexes")).all()
    seen = 0
    for table in site.catalogue().tables:
        indexes = [index.partition(" USING ")[2] for name, index in defined if name == table.physical.replace('"', "")]
        if not indexes:
            continue
        sky = any("_hpx29" in index for index in indexes)
        placed = {table.position.ra, table.position.dec} if sky and table.position else set()
        covered = {table.footprint.column} if table.footprint else set()
        for column in table.columns:
            own = any(re.match(rf'\w+ \(\(?"?{re.escape(column.name)}"?\b', index) for index in indexes)
            assert own or column.name in placed | covered or not column.indexed, (table.full_name, column.name, indexes)
            seen += column.indexed
    assert seen > 10


NAMED: dict[str, list[str]] = {
    "SELECT mag, name, ra": ["mag", "name", "ra"],
    'SELECT mag AS m, NAME, s.RA, "zone" AS "The Zone"': ["m", "name", "ra", "The Zone"],
    "SELECT COUNT(*), MAX(mag), 1 + 1, 2": ["count", "max", "column_3", "column_4"],
    "SELECT name, name, mag AS name": ["name", "name_2", "name_3"],
}
"""What stands before FROM → the names of the columns."""


def test_names_of_results_are_those_of_the_query(client: TestClient) -> None:
    """CHECKLIST TAP-012, TAP-013, PITFALLS P-61, P-62: in its order, none twice; columns are spelt as they are published."""
    for select, names in NAMED.items():
        said = {"LANG": "ADQL", "RESPONSEFORMAT": "csv", "QUERY": f"{select} FROM sky.stars AS s"}
        assert client.get("/tap/sync", params=said).text.splitlines()[0].split(",") == names
    twice = {"LANG": "ADQL", "RESPONSEFORMAT": "csv", "QUERY": "SELECT * FROM sky.stars AS a, sky.stars AS b", "MAXREC": "1"}
    found = client.get("/tap/sync", params=twice).text.splitlines()[0].split(",")
    assert len(set(map(str.lower, found))) == len(found) == 12


def test_probes_that_clients_send_first(client: TestClient) -> None:
    """CHECKLIST TAP-040, PITFALLS P-41: TOPCAT counts the columns before it decides how to read them."""
    (row,) = ask(client, "SELECT COUNT(*) AS nrow FROM TAP_SCHEMA.columns")
    assert row["nrow"] == sum(map(len, declared(client).values()))
    assert ask(client, "SELECT table_name FROM TAP_SCHEMA.tables WHERE 1 = 0") == []
    assert ask(client, "SELECT \"size\" FROM TAP_SCHEMA.columns WHERE table_name = 'sky.kinds' AND column_name = 'three'") == [{"size": 3}]


@pytest.mark.parametrize(
    ("given", "served"),
    [
        (None, None),
        ("timestamp", "timestamp"),
        ("polygon", "polygon"),
        ("moc", "moc"),
        ("adql:REGION", "adql:REGION"),
        ("geom:vector3d", "geom:vector3d"),
        ("uuid", "dali:uuid"),
        ("uri", "dali:uri"),
        ("mjd", "x:mjd"),
        ("clob", "x:clob"),
    ],
)
def test_an_xtype_that_dali_does_not_know_gets_a_prefix(given: str | None, served: str | None) -> None:
    """CHECKLIST GEN-034, VOT-018 (DALI 1.1 §3.3): so that clients can tell what is standard; STILTS warns otherwise."""
    assert served_xtype(given) == served


def test_foreign_xtypes_are_prefixed_wherever_they_stand(client: TestClient) -> None:
    columns = {row["column_name"]: row["xtype"] for row in declared(client)["sky.kinds"]}
    assert (columns['"key"'] if '"key"' in columns else columns["key"], columns['"day"']) == ("dali:uuid", "x:mjd")

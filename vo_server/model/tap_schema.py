"""What TAP_SCHEMA says of itself: its five tables, their columns and the keys between them (TAP 1.1 §4)."""

from dataclasses import dataclass

from vo_server.model.catalogue import Key
from vo_server.model.columns import Column

SCHEMA = "tap_schema"
DESCRIPTION = "Tables that describe the tables published here"


@dataclass(frozen=True, slots=True)
class StandardTable:
    """A table that a standard defines: its bare name, description and columns."""

    name: str
    description: str
    columns: tuple[Column, ...]


def _name(name: str, description: str, *, principal: bool = True) -> Column:
    """What publishers may write in any script: names are not always ASCII, and units and UCDs are as the file gave them."""
    return Column(name, "unicodeChar", "*", description=description, principal=principal, std=True)


def _word(name: str, description: str) -> Column:
    """One of our own words."""
    return Column(name, "char", "*", description=description, principal=True, std=True)


def _prose(description: str) -> Column:
    return Column("description", "unicodeChar", "*", description=description, principal=True, std=True)


def _number(name: str, description: str, *, principal: bool = False) -> Column:
    return Column(name, "int", description=description, principal=principal, std=True)


TABLES: tuple[StandardTable, ...] = (
    StandardTable(
        "schemas",
        "Schemas: groups of tables",
        (
            _name("schema_name", "Name of the schema"),
            _name("utype", "Data model of the schema", principal=False),
            _prose("What the schema holds"),
            _number("schema_index", "Place of the schema in lists"),
        ),
    ),
    StandardTable(
        "tables",
        "Tables that can be queried",
        (
            _name("schema_name", "Schema the table belongs to"),
            _name("table_name", "Name of the table, as it is written after FROM"),
            _word("table_type", "table or view"),
            _name("utype", "Data model of the table", principal=False),
            _prose("What the table holds"),
            _number("table_index", "Place of the table in lists"),
        ),
    ),
    StandardTable(
        "columns",
        "Columns of the tables",
        (
            _name("table_name", "Table the column belongs to"),
            _name("column_name", "Name of the column, as it is written in a query"),
            _word("datatype", "Type of one element, in VOTable's words"),
            _word("arraysize", "Number of elements, in VOTable's syntax; null for scalars"),
            _name("xtype", "What the elements mean together, such as timestamp or polygon", principal=False),
            _number("size", "Length of one-dimensional arrays, where it is fixed (deprecated: see arraysize)"),
            _prose("What the column holds"),
            _name("utype", "Place of the column in a data model", principal=False),
            _name("unit", "Unit, in VOUnits"),
            _name("ucd", "Unified content descriptor"),
            _number("indexed", "1: conditions on the column are fast"),
            _number("principal", "1: one of the most important columns of the table"),
            _number("std", "1: defined by a standard"),
            _number("column_index", "Place of the column in lists"),
        ),
    ),
    StandardTable(
        "keys",
        "Foreign keys: tables that belong together",
        (
            _name("key_id", "Identifier of the key"),
            _name("from_table", "Table that refers"),
            _name("target_table", "Table referred to"),
            _prose("What the key means"),
            _name("utype", "Data model of the key", principal=False),
        ),
    ),
    StandardTable(
        "key_columns",
        "Pairs of columns that make up the foreign keys",
        (
            _name("key_id", "Key the pair belongs to"),
            _name("from_column", "Column of the table that refers"),
            _name("target_column", "Column of the table referred to"),
        ),
    ),
)


def _key(from_table: str, target_table: str, pair: tuple[str, str], description: str) -> Key:
    key_id = f"{SCHEMA}.{from_table}.{pair[0]}"
    return Key(key_id, f"{SCHEMA}.{from_table}", f"{SCHEMA}.{target_table}", (pair,), description)


KEYS: tuple[Key, ...] = (
    _key("tables", "schemas", ("schema_name", "schema_name"), "Schema of a table"),
    _key("columns", "tables", ("table_name", "table_name"), "Table of a column"),
    _key("keys", "tables", ("from_table", "table_name"), "Table that refers"),
    _key("keys", "tables", ("target_table", "table_name"), "Table referred to"),
    _key("key_columns", "keys", ("key_id", "key_id"), "Key of a pair of columns"),
)
"""The foreign keys among the five tables (TAP 1.1 §4.4)."""

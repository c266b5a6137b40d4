"""ADQL → SQL pairs of tests/golden: the text, the columns, and what PostgreSQL returns. See tests/golden/README.md."""

import tomllib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest

from vo_server.model.catalogue import Catalogue, Footprint, Position, Schema, Table
from vo_server.model.columns import Column
from vo_server.model.result import Statement
from vo_server.sky.cells import NOWHERE, cells_of
from vo_server.sky.ranges import cone_ranges
from vo_server.sql import compile_adql, function_definitions

HERE = Path(__file__).parents[1] / "golden"
MAX_ROWS = 100


@dataclass(frozen=True)
class Case:
    """One golden pair: ADQL, SQL, columns, rows."""

    file: str
    line: int
    parts: tuple[str, str, str, str]


def cases() -> Iterator[Case]:
    for path in sorted(HERE.glob("*.txt")):
        line = 1
        for text in path.read_text(encoding="utf-8").split("\n====\n"):
            parts = [part.strip("\n") for part in f"\n{text}\n".split("\n----\n")]
            yield Case(path.stem, line, tuple((*parts, "", "", "")[:4]))  # type: ignore[arg-type]
            line += text.count("\n") + 2


CASES = list(cases())


def catalogue() -> Catalogue:
    listed = tomllib.loads((HERE / "catalogue.toml").read_text(encoding="utf-8"))["table"]
    return Catalogue(1, tuple(Schema(name) for name in sorted({table["schema"] for table in listed})), tuple(map(table_of, listed)))


def table_of(entry: dict[str, Any]) -> Table:
    position = Position(*entry["position"]) if "position" in entry else None
    footprint = Footprint(**entry["footprint"]) if "footprint" in entry else None
    columns = tuple(Column(**column) for column in entry["columns"])
    return Table(
        entry["schema"], entry["name"], entry["physical"], columns, nrows=entry.get("nrows"), position=position, footprint=footprint
    )


CATALOGUE = catalogue()


def compiled(case: Case) -> Statement:
    return compile_adql(case.parts[0], CATALOGUE, max_rows=MAX_ROWS)


def described(statement: Statement) -> str:
    return "\n".join(f"{column.name} {column.datatype} {column.unit or '-'}" for column in statement.columns)


def written(rows: list[tuple[Any, ...]]) -> str:
    return "\n".join(" | ".join("NULL" if value is None else str(value) for value in row) for row in rows)


@pytest.fixture(scope="module")
def prepared() -> Iterator[Callable[[Any], psycopg.Connection]]:
    """The golden tables on a server, made at its first use."""
    with ExitStack() as stack:
        yield cache(lambda server: stack.enter_context(golden_database(server)))


@pytest.fixture
def connection(postgres_server: Any, prepared: Callable[[Any], psycopg.Connection]) -> psycopg.Connection:
    return prepared(postgres_server)


@contextmanager
def golden_database(server: Any) -> Iterator[psycopg.Connection]:
    server.create("golden", "template0")
    try:
        with psycopg.connect(server.url("golden"), autocommit=True) as opened:
            opened.execute("CREATE SCHEMA vo")
            opened.execute(function_definitions().encode())
            opened.execute((HERE / "tables.sql").read_bytes())
            fill_cells(opened)
            yield opened
    finally:
        server.drop("golden")


def fill_cells(opened: psycopg.Connection) -> None:
    """The hidden columns of the tables, as publishing computes them."""
    for table in CATALOGUE.tables:
        if table.position is not None:
            rows = opened.execute(f'SELECT "{table.position.ra}", "{table.position.dec}", id FROM {table.physical}').fetchall()
            places = np.array([row[:2] for row in rows], dtype=float)
            for cell, row in zip(cells_of(places[:, 0], places[:, 1]), rows, strict=True):
                opened.execute(f"UPDATE {table.physical} SET _hpx29 = %s WHERE id = %s", (None if cell == NOWHERE else int(cell), row[2]))
    for key, ra, dec, radius in ((1, 10, 20, 2), (2, 0, 0, 1)):
        for low, high in cone_ranges(ra, dec, radius):
            opened.execute("INSERT INTO vo_data.obs_cells VALUES (%s, %s, %s)", (key, low, high))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.file}:{case.line}")
def test_translates_as_written(case: Case) -> None:
    statement = compiled(case)
    assert case.parts[1].split() == statement.sql.split(), f"{case.parts[0]}\n----\n{statement.sql}\n----\n{described(statement)}"
    assert case.parts[2] == described(statement)


@pytest.mark.every_postgres
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.file}:{case.line}")
def test_postgres_returns_the_rows(case: Case, connection: psycopg.Connection) -> None:
    statement = compiled(case)
    cursor = connection.execute(statement.sql.encode())
    kinds = [connection.adapters.types[item.type_code] for item in cursor.description or ()]
    names = [
        f"{kind.regtype}{'[]' if kind.array_oid == item.type_code else ''}"
        for kind, item in zip(kinds, cursor.description or (), strict=True)
    ]
    assert [name.replace(" without time zone", "") for name in names] == [column.sql_type for column in statement.columns]
    rows = written(cursor.fetchall())
    assert case.parts[3] == rows, rows


def test_there_are_cases() -> None:
    assert len(CASES) > 40

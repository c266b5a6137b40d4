"""Views: tables that are queries over published ones, with their metadata, the index of the sky, and what becomes of them."""

from pathlib import Path

import numpy as np
import psycopg
import publishing
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from publishing import catalogue, publish, silent

from vo_server.db.database import Database
from vo_server.errors import DataError
from vo_server.model.catalogue import Table
from vo_server.publish import sweep
from vo_server.publish.retract import retract_table
from vo_server.sql import compile_adql

ROWS = 20_000

STARS = """
[resource]
schema = "sky"
[table]
source = "stars.parquet"
[columns.mag]
unit = "mag"
ucd = "phot.mag;em.opt.V"
description = "Brightness"
"""
BRIGHT = """
[resource]
schema = "sky"
title = "Bright stars"
[table]
name = "bright"
view = """
QUERY = "SELECT star, ra, dec, mag, mag + 5 AS fainter FROM sky.stars WHERE mag < 3"


def view(folder: Path, query: str = QUERY, name: str = "bright", more: str = "") -> Path:
    path = folder / f"{name}.toml"
    path.write_text(BRIGHT.replace("bright", name) + f"'''{query}'''\n{more}")
    return path


def table(database: Database, name: str = "sky.bright") -> Table:
    return publishing.table(database, name)


def answer(database: Database, adql: str, prefix: str = "") -> list[tuple[object, ...]]:
    """What the query role gets."""
    sql = compile_adql(adql, catalogue(database)).sql
    with psycopg.connect(database.query_uri(), autocommit=True) as connection:
        connection.execute("SET enable_seqscan = off")
        return connection.execute(f"{prefix}{sql}".encode()).fetchall()


def stars(folder: Path, rows: int = ROWS, **more: pa.Array) -> Path:
    dice = np.random.default_rng(3)
    ra, dec = dice.uniform(0, 360, rows), np.degrees(np.arcsin(dice.uniform(-1, 1, rows)))
    columns = {"star": np.arange(rows), "ra": ra, "dec": dec, "mag": np.arange(rows) % 10}
    pq.write_table(pa.table({**columns, **more}), folder / "stars.parquet")
    path = folder / "stars.toml"
    path.write_text(STARS)
    return path


@pytest.fixture
def sky(database: Database, tmp_path: Path) -> Path:
    publish(database, stars(tmp_path))
    return tmp_path


def test_a_view_has_the_metadata_and_the_index_of_its_table(database: Database, sky: Path) -> None:
    done = publish(database, view(sky, more="[columns.fainter]\ndescription = 'Five more'\n"))
    assert (done.table, done.rows, done.positions) == ("sky.bright", ROWS * 3 // 10, True)
    found = table(database)
    assert (found.kind, found.view, found.nrows) == ("view", QUERY, ROWS * 3 // 10)
    kinds = {column.name: (column.datatype, column.unit, column.ucd, column.description) for column in found.columns}
    assert kinds["mag"] == ("long", "mag", "phot.mag;em.opt.V", "Brightness")
    assert kinds["fainter"][3] == "Five more"
    cone = "SELECT star, mag FROM sky.bright WHERE DISTANCE(ra, dec, 100, 20) < 4 ORDER BY star"
    expected = answer(database, cone.replace("WHERE", "WHERE mag < 3 AND").replace("bright", "stars"))
    assert answer(database, cone) == expected
    assert expected
    assert any("Index Cond: ((_hpx29" in str(line) for line in answer(database, cone, "EXPLAIN "))
    matched = "SELECT count(*) FROM sky.bright AS b JOIN sky.stars AS s ON DISTANCE(b.ra, b.dec, s.ra, s.dec) < 0.0001"
    assert answer(database, matched) == [(ROWS * 3 // 10,)]


def test_a_table_behind_a_view_is_replaced(database: Database, sky: Path) -> None:
    publish(database, view(sky))
    publish(database, view(sky, "SELECT COUNT(*) AS n, mag FROM sky.bright GROUP BY mag", "counts"))
    publish(database, stars(sky, 1000, more=pa.array(range(1000))))
    sweep(database, older_than=0)
    assert answer(database, "SELECT SUM(n) FROM sky.counts") == [(300,)]
    assert not table(database, "sky.counts").position
    publish(database, view(sky, QUERY.replace("< 3", "< 1")))
    assert answer(database, "SELECT SUM(n) FROM sky.counts") == [(100,)]


def test_what_a_view_reads_cannot_be_taken_from_it(database: Database, sky: Path) -> None:
    publish(database, view(sky))
    with pytest.raises(DataError, match=r"the view sky\.bright reads it"), database.engine.begin() as connection:
        retract_table(connection, "sky.stars", silent)
    (sky / "stars.toml").write_text(STARS.replace("[columns.mag]", "[columns.mag]\nname = 'vmag'"))
    with pytest.raises(DataError, match=r"sky\.stars cannot be changed like that.*view sky\.bright.*mag"):
        publish(database, sky / "stars.toml")
    assert len(answer(database, "SELECT star FROM sky.bright")) == ROWS * 3 // 10
    with pytest.raises(DataError, match=r"view: .*no table sky\.bright"):
        publish(database, view(sky, "SELECT star FROM sky.bright"))
    with database.engine.begin() as connection:
        retract_table(connection, "sky.bright", silent)
        retract_table(connection, "sky.stars", silent)
    assert catalogue(database).table("sky.stars") is None


def test_joins_groups_and_common_tables(database: Database, sky: Path) -> None:
    query = """WITH few AS (SELECT star AS n, ra, dec FROM sky.stars WHERE star < 100)
        SELECT few.n, few.ra, few.dec, s.mag, POINT(few.ra, few.dec) AS place FROM few JOIN sky.stars AS s ON s.star = few.n"""
    publish(database, view(sky, query, "joined"))
    assert answer(database, "SELECT COUNT(*), MAX(n) FROM sky.joined WHERE DISTANCE(ra, dec, 0, 0) < 180") == [(100, 99)]
    assert any("_hpx29" in str(line) for line in answer(database, "SELECT n FROM sky.joined WHERE DISTANCE(ra, dec, 1, 1) < 2", "EXPLAIN "))
    united = "SELECT star, ra, dec FROM sky.stars WHERE star < 5 UNION SELECT star, ra, dec FROM sky.stars WHERE star > 19994"
    done = publish(database, view(sky, united, "both"))
    assert done.rows == 10
    assert "searches by position read all its rows" in " ".join(done.notes)
    assert answer(database, "SELECT COUNT(*) FROM sky.both WHERE DISTANCE(ra, dec, 0, 0) < 180") == [(10,)]


def test_what_is_wrong_with_a_view_is_said(database: Database, sky: Path) -> None:
    with pytest.raises(DataError, match=r"bright\.toml: view: .*magnitude") as refused:
        publish(database, view(sky, "SELECT magnitude FROM sky.stars"))
    assert "mag" in str(refused.value)
    with pytest.raises(DataError, match=r"table\.view \(line \d+\): line 1, column 8 of the query: [^\n]*$"):
        publish(database, view(sky, "SELECT FROM"))
    with pytest.raises(DataError, match=r"bright\.toml: view: A union of shapes"):
        publish(database, view(sky, "SELECT REGION('Union ICRS (Circle 1 1 1 Circle 2 2 2)') AS r FROM sky.stars"))
    with pytest.raises(DataError, match=r"\): there must be a source, or a view"):
        publish(database, view(sky, more='source = "stars.parquet"'))

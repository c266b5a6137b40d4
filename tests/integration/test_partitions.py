"""Very large tables in partitions by position: nothing is lost, searches look into few of them, and they come and go as one."""

from pathlib import Path

import numpy as np
import publishing
import pytest
from astropy.table import Table
from sqlalchemy import text

from vo_server.db.catalogue import load_catalogue
from vo_server.db.database import Database
from vo_server.publish import load, sweep
from vo_server.sql import compile_adql

ROWS, MOST = 5000, 1000


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stars all over the sky, ten of them nowhere; rows beyond the first batch are sorted by PostgreSQL."""
    monkeypatch.setattr(load, "SORT_BYTES", 1)
    random = np.random.default_rng(1)
    ra = random.uniform(0, 360, ROWS)
    ra[:10] = np.nan
    path = tmp_path / "stars.fits"
    Table({"id": np.arange(ROWS), "ra": ra, "dec": np.degrees(np.arcsin(random.uniform(-1, 1, ROWS)))}).write(path)
    return path


def publish(database: Database, file: Path, **options: object) -> None:
    publishing.publish(database, file, partition_rows=MOST, **options)


def partitions(database: Database) -> dict[str, int]:
    with database.engine.connect() as connection:
        names = connection.execute(
            text("SELECT tablename FROM pg_tables WHERE schemaname = 'vo_data' AND tablename ~ '_p[0-9]+$'")
        ).scalars()
        return {name: connection.execute(text(f'SELECT count(*) FROM vo_data."{name}"')).scalar_one() for name in list(names)}


def test_partitions_are_alike_and_hold_every_row(database: Database, file: Path) -> None:
    publish(database, file)
    sizes = partitions(database)
    assert len(sizes) == 6
    assert sum(sizes.values()) == ROWS
    placeless = {name: size for name, size in sizes.items() if name.endswith("_p0")}
    assert list(placeless.values()) == [10]
    assert all(700 < size < 1300 for name, size in sizes.items() if name not in placeless)


def test_a_cone_looks_into_few_of_them(database: Database, file: Path) -> None:
    publish(database, file)
    with database.engine.connect() as connection:
        catalogue = load_catalogue(connection)
        cone = "SELECT id FROM data.stars WHERE 1 = CONTAINS(POINT(ra, dec), CIRCLE(45, 30, 3))"
        sql = compile_adql(cone, catalogue, max_rows=ROWS).sql
        plan = connection.exec_driver_sql("EXPLAIN " + sql).scalars().all()
        found = connection.exec_driver_sql(sql).scalars().all()
        brute = "SELECT id FROM data.stars WHERE DISTANCE(POINT(ra, dec), POINT(45, 30)) + 0 * id <= 3"
        expected = connection.exec_driver_sql(compile_adql(brute, catalogue, max_rows=ROWS).sql).scalars().all()
    scanned = {line.split(" on ")[1].split()[0] for line in plan if "Scan" in line and " on " in line and "_p" in line}
    assert 1 <= len({name.split("__hpx29")[0] for name in scanned}) <= 2
    assert sorted(found) == sorted(expected) != []


def test_they_go_as_one(database: Database, file: Path) -> None:
    publish(database, file)
    before = set(partitions(database))
    publish(database, file, reload=True)
    assert sweep(database, older_than=0) == 1
    assert not before & set(partitions(database))


def test_a_smaller_table_stays_whole(database: Database, file: Path) -> None:
    publishing.publish(database, file, partition_rows=ROWS)
    assert partitions(database) == {}

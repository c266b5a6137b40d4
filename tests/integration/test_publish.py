"""Publishing on a real PostgreSQL: load, flip, replace, refuse, and leave everything as it was when something goes wrong."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import adbc_driver_manager
import publishing
import pyarrow as pa
import pytest
from publishing import NOON, catalogue, publish, silent
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from vo_server.db.catalogue import load_resources, read_version
from vo_server.db.database import Database
from vo_server.errors import DataError, UnavailableError
from vo_server.model.catalogue import Table
from vo_server.model.resource import Resource
from vo_server.publish import PublishOptions, load, publish_file, sweep

ROWS = "name,ra,dec,mjd,flux\nb,200.5,-10,58000.5,1.5\na,10,20,58001,nan\nc,,,58002.25,3\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "Some-Table.csv"
    path.write_text(ROWS)
    return path


def table(database: Database, name: str = "data.some_table") -> Table:
    return publishing.table(database, name)


def resource(database: Database) -> Resource:
    with database.engine.connect() as connection:
        return next(one for one in load_resources(connection) if one.name == "some_table")


def physical_tables(database: Database) -> set[str]:
    with database.engine.connect() as connection:
        names = connection.execute(
            text("SELECT tablename FROM pg_tables WHERE schemaname = 'vo_data' AND tablename LIKE 't\\_%'")
        ).scalars()
        return set(names)


def rows(database: Database, columns: str, name: str = "data.some_table") -> list[tuple[object, ...]]:
    with database.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(f"SELECT {columns} FROM {table(database, name).physical} ORDER BY 1"))]


def test_a_file_becomes_a_table_with_positions(database: Database, file: Path) -> None:
    done = publish(database, file)
    assert (done.table, done.rows, done.replaced, done.positions) == ("data.some_table", 3, False, True)
    found = table(database)
    assert found.position is not None
    assert (found.position.ra, found.position.dec, found.position.indexed) == ("ra", "dec", True)
    assert [(column.name, column.ucd, column.indexed) for column in found.columns][:3] == [
        ("name", "meta.id;meta.main", True),
        ("ra", "pos.eq.ra;meta.main", True),
        ("dec", "pos.eq.dec;meta.main", True),
    ]
    assert rows(database, "name, ra, flux, _hpx29 IS NULL") == [("a", 10, None, False), ("b", 200.5, 1.5, False), ("c", None, 3.0, True)]
    assert (found.nrows, found.datetime_loaded) == (3, NOON)
    notes = " ".join(done.notes)
    assert "1 of 3 rows have no valid position" in notes
    assert "ra and dec are taken as right ascension and declination: their names, taken to be degrees" in notes


def test_the_resource_says_where_and_when(database: Database, file: Path) -> None:
    publish(database, file, title="A title")
    known = resource(database)
    assert (known.title, known.tables, known.created, known.updated) == ("A title", ("data.some_table",), NOON, NOON)
    assert known.coverage.temporal == (58000.5, 58002.25)
    assert known.coverage.spatial is not None
    assert known.coverage.spatial.startswith("6/")
    assert known.sample in ((10.0, 20.0), (200.5, -10.0))


def test_rows_lie_in_the_order_of_their_cells(database: Database, tmp_path: Path) -> None:
    lines = [f"{i},{(i * 137.5) % 360},{(i * 61.3) % 180 - 90}" for i in range(500)]
    (tmp_path / "many.csv").write_text("n,ra,dec\n" + "\n".join(lines))
    publish(database, tmp_path / "many.csv")
    with database.engine.connect() as connection:
        cells = list(connection.execute(text(f"SELECT _hpx29 FROM {table(database, 'data.many').physical} ORDER BY ctid")).scalars())
    assert cells == sorted(cells)
    assert len(set(cells)) > 400


def test_sorting_in_the_database_gives_the_same(database: Database, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(database, file)
    before = rows(database, "name, ra, flux, _hpx29")
    monkeypatch.setattr(load, "SORT_BYTES", 1)
    assert publish(database, file).replaced
    assert rows(database, "name, ra, flux, _hpx29") == before
    assert not [name for name in physical_tables(database) if name.endswith("_staging")]


def test_users_may_read_the_rows_and_nothing_else(database: Database, file: Path) -> None:
    publish(database, file)
    with database.engine.begin() as connection:
        connection.execute(text(f"SET LOCAL ROLE {database.query_role}"))
        assert connection.execute(text(f"SELECT count(*) FROM {table(database).physical}")).scalar_one() == 3


def test_publishing_again_replaces_and_keeps_what_is_the_same(database: Database, file: Path) -> None:
    publish(database, file)
    with database.engine.connect() as connection:
        version = read_version(connection)
    first = table(database)
    file.write_text(ROWS + "d,1,2,58002,5\n")
    later = datetime(2026, 2, 1, tzinfo=UTC)
    done = publish_file(database, file, PublishOptions(), records=silent, clock=lambda: later)
    assert (done.replaced, done.rows) == (True, 4)
    assert table(database).physical != first.physical
    assert (resource(database).created, resource(database).updated) == (NOON, later)  # its coverage grew
    again = publish_file(database, file, PublishOptions(), records=silent, clock=lambda: datetime(2026, 3, 1, tzinfo=UTC))
    assert again.replaced
    assert resource(database).updated == later  # nothing is said of it that was not said before
    with database.engine.connect() as connection:
        assert read_version(connection) == version + 2
    assert len(catalogue(database).of_schema("data")) == 1


def test_old_loads_go_when_nobody_reads_them(database: Database, file: Path) -> None:
    publish(database, file)
    old = physical_tables(database)
    publish(database, file, reload=True)
    assert sweep(database, older_than=3600) == 1  # retired in January 2026, by the test's clock
    assert not old & physical_tables(database)
    assert len(physical_tables(database)) == 1
    assert rows(database, "name") == [("a",), ("b",), ("c",)]


def test_a_load_that_is_read_is_not_dropped_and_nobody_waits(database: Database, file: Path) -> None:
    publish(database, file)
    old = table(database).physical
    with database.engine.connect() as reader:
        reader.execute(text(f"SELECT * FROM {old}"))
        publish(database, file, reload=True)
        assert sweep(database, older_than=0) == 0
    assert sweep(database, older_than=0) == 1


def test_abandoned_loads_go_and_living_ones_stay(database: Database, file: Path) -> None:
    with load.begun(database, "living"):
        with database.engine.begin() as connection:
            connection.execute(text("INSERT INTO vo.loads (physical, state, owner_pid) VALUES ('vo_data.t_dead_99', 'loading', 1)"))
        with database.publish_engine.begin() as connection:
            connection.execute(text("CREATE TABLE vo_data.t_dead_99 (a int)"))
            connection.execute(text("CREATE TABLE vo_data.t_dead_99_staging (a int)"))
        assert sweep(database) == 1
        assert physical_tables(database) == set()
        with database.engine.connect() as connection:
            states = connection.execute(text("SELECT state FROM vo.loads ORDER BY load_id")).scalars().all()
        assert states == ["loading", "failed"]


class BrokenError(Exception):
    """What a test makes happen."""


def failing_records(connection: Connection, _: str | None = None) -> None:
    assert connection.execute(text("SELECT count(*) FROM vo.tables WHERE table_name = 'some_table'")).scalar_one() == 1
    raise BrokenError


def interrupted(stage: str, rows: int, total: int | None) -> None:
    if stage == "Loading":
        raise KeyboardInterrupt


@pytest.mark.parametrize("again", [False, True])
def test_a_failure_leaves_everything_as_it_was(database: Database, file: Path, again: bool) -> None:
    if again:
        publish(database, file)
    before = catalogue(database), physical_tables(database)
    with pytest.raises(BrokenError):
        publish_file(database, file, PublishOptions(reload=True), records=failing_records)
    with pytest.raises(KeyboardInterrupt):
        publish_file(database, file, PublishOptions(reload=True), records=silent, progress=interrupted)
    assert (catalogue(database), physical_tables(database)) == before


def driver_error(message: str, sqlstate: str | None) -> adbc_driver_manager.OperationalError:
    return adbc_driver_manager.OperationalError(message, status_code=adbc_driver_manager.AdbcStatusCode.IO, sqlstate=sqlstate)


@pytest.mark.parametrize(
    ("error", "told", "words"),
    [
        (driver_error("canceling statement due to user request", "57014"), KeyboardInterrupt, "^$"),
        (driver_error("canceling statement due to statement timeout", "57014"), DataError, "timeout"),
        (driver_error("no connection to postgresql://me:s3cret@h/d", None), UnavailableError, r"me:\*\*\*@h"),
    ],
)
def test_what_the_driver_says_is_explained(
    database: Database, file: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, told: type[BaseException], words: str
) -> None:
    def broken(*_: object) -> None:
        raise error

    monkeypatch.setattr(load, "_copy", broken)
    with pytest.raises(told, match=words):
        publish(database, file)
    assert physical_tables(database) == set()


def test_a_server_that_is_lost_leaves_the_first_error(database: Database, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither dropping the load nor letting go of its lock works then; both would hide what happened."""

    def lost(*_: object) -> None:
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as other:
            other.execute(
                text("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND classid = :c"), {"c": load.LOCK_SPACE}
            )
        monkeypatch.setattr(load, "_execute", refused)
        raise driver_error("server closed the connection", None)

    def refused(*_: object) -> None:
        raise OperationalError("DROP", {}, Exception("away"))

    monkeypatch.setattr(load, "_copy", lost)
    with pytest.raises(UnavailableError, match="went away while"):
        publish(database, file)


def test_a_fault_in_the_rows_is_named_and_leaves_nothing(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "late.csv"
    path.write_text("a,b\n1,2\n")

    def broken(plan: object) -> Iterator[pa.RecordBatch]:
        yield pa.RecordBatch.from_pydict({"a": pa.array([1], pa.int32()), "b": pa.array([2], pa.int32())})
        raise DataError("broken.", source="late.csv", row=2)

    monkeypatch.setattr("vo_server.publish.plan.Plan.batches", broken)
    with pytest.raises(DataError, match="row 2"):
        publish(database, path)
    assert physical_tables(database) == set()


def test_names_of_others_are_not_touched(database: Database, file: Path) -> None:
    publish(database, file)
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE vo.tables SET load_id = NULL WHERE table_name = 'some_table'"))
    with pytest.raises(DataError, match="not made by publishing"):
        publish(database, file)
    with pytest.raises(DataError, match="reserved"):
        publish(database, file, schema="tap_schema")


def test_a_table_belongs_to_one_resource(database: Database, file: Path) -> None:
    publish(database, file)
    with pytest.raises(DataError, match="belongs to the resource data/some_table"):
        publish(database, file, resource="other")


def test_tables_of_one_file_share_a_resource(database: Database, file: Path) -> None:
    publish(database, file)
    before = resource(database)
    publish(database, file, table="some_table_two", resource="some_table", position=False)
    after = resource(database)
    assert after.tables == ("data.some_table", "data.some_table_two")
    assert (after.coverage.spatial, after.sample, after.title) == (before.coverage.spatial, before.sample, before.title)
    assert table(database, "data.some_table_two").position is None


def test_awkward_names_arrive(database: Database, tmp_path: Path) -> None:
    names = ['with "quotes"', "per:cent %s", "back\\slash", "Name", "name", "xmin", "ä" * 40]
    path = tmp_path / "odd.csv"
    path.write_text(",".join('"' + name.replace('"', '""') + '"' for name in names) + "\n" + ",".join("1234567") + "\n2,3,4,5,6,7,8\n")
    publish(database, path)
    stored = [column.name for column in table(database, "data.odd").columns]
    assert stored == [*names[:4], "name_2", "xmin_", "ä" * 31]
    with database.engine.connect() as connection:
        assert sorted(connection.exec_driver_sql(f"SELECT * FROM {table(database, 'data.odd').physical}").all())[0] == (1, 2, 3, 4, 5, 6, 7)


def test_an_empty_table_is_publish(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "void.csv"
    path.write_text("ra,dec\n")
    done = publish(database, path)
    assert (done.rows, done.positions) == (0, False)
    assert any("no rows" in note for note in done.notes)


def test_a_connection_that_breaks_while_indices_are_made_is_told_as_such(
    database: Database, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute = load._execute

    def breaking(connection: Connection, statement: str) -> object:
        if statement.startswith("CREATE INDEX") and '"ra"' in statement:
            connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
        return execute(connection, statement)

    monkeypatch.setattr(load, "_execute", breaking)
    with pytest.raises(UnavailableError, match="went away"):
        publish(database, file)
    assert catalogue(database).table("data.some_table") is None

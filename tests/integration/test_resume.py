"""Loads that were interrupted go on where they stopped: no row twice, none missing."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table
from publishing import silent
from sqlalchemy import text

from vo_server.db.database import Database
from vo_server.errors import DataError
from vo_server.publish import Published, PublishOptions, load, publish_file, sweep

ROWS = 200_000


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Rows enough for several batches, each loaded in a transaction of its own."""
    monkeypatch.setattr(load, "SORT_BYTES", 1)
    monkeypatch.setattr(load, "PIECE_BYTES", 1)
    return stars(tmp_path)


def stars(folder: Path) -> Path:
    random = np.random.default_rng(1)
    path = folder / "stars.fits"
    Table({"id": np.arange(ROWS), "ra": random.uniform(0, 360, ROWS), "dec": random.uniform(-90, 90, ROWS)}).write(path, overwrite=True)
    return path


def publish(database: Database, path: Path, *, stop_at: int | None = None, **options: object) -> tuple[Published, int]:
    """What was published, and how many rows this attempt loaded."""
    loaded = []
    ingest = load._ingest

    def counting(database: Database, name: str, batches: object, note: str | None = None) -> None:
        held = list(batches)  # type: ignore[call-overload]
        ingest(database, name, iter(held), note)
        loaded.append(sum(batch.num_rows for batch in held))

    def watch(stage: str, rows: int, _: int | None) -> None:
        if stop_at is not None and stage == "Loading" and rows > stop_at:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(load, "_ingest", counting)
        done = publish_file(database, path, PublishOptions(**options), records=silent, progress=watch)  # type: ignore[arg-type]
    return done, sum(loaded)


def stored(database: Database) -> tuple[int, int, int]:
    with database.engine.connect() as connection:
        name = connection.execute(text("SELECT physical FROM vo.tables WHERE table_name = 'stars'")).scalar_one()
        return tuple(connection.execute(text(f"SELECT count(*), count(DISTINCT id), sum(id)::bigint FROM {name}")).one())  # type: ignore[return-value]


WHOLE = (ROWS, ROWS, ROWS * (ROWS - 1) // 2)


def test_it_goes_on_where_it_stopped(database: Database, file: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        publish(database, file, stop_at=120_000)
    assert sweep(database, older_than=0) == 0
    done, loaded = publish(database, file)
    assert (done.rows, done.loaded) == (ROWS, True)
    assert 0 < loaded < ROWS
    assert stored(database) == WHOLE
    with database.engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM vo.loads WHERE state = 'loading'")).scalar_one() == 0
        assert connection.execute(text("SELECT count(*) FROM pg_tables WHERE tablename LIKE '%\\_staging'")).scalar_one() == 0


def test_another_file_begins_anew(database: Database, file: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        publish(database, file, stop_at=120_000)
    stars(file.parent)
    os.utime(file, ns=(1, 1))
    assert publish(database, file)[1] == ROWS
    assert stored(database) == WHOLE


def test_reload_begins_anew(database: Database, file: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        publish(database, file, stop_at=120_000)
    assert publish(database, file, reload=True)[1] == ROWS


def test_rows_that_a_crash_of_postgresql_took_are_loaded_again(database: Database, file: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        publish(database, file, stop_at=120_000)
    with database.publish_engine.begin() as connection:
        name = connection.execute(text("SELECT tablename FROM pg_tables WHERE tablename LIKE '%\\_staging'")).scalar_one()
        connection.execute(text(f'TRUNCATE vo_data."{name}"'))  # what becomes of an unlogged table
    assert publish(database, file)[1] == ROWS
    assert stored(database) == WHOLE


def test_a_fault_in_the_file_leaves_nothing(database: Database, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise DataError("no")

    monkeypatch.setattr(load, "_divide", broken)
    with pytest.raises(DataError):
        publish(database, file)
    with database.engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM pg_tables WHERE tablename LIKE 't\\_stars%'")).scalar_one() == 0


KILLED = """
import os, signal, sys
from pathlib import Path
from vo_server.db.database import Database
from vo_server.publish import PublishOptions, load, publish_file
load.SORT_BYTES = load.PIECE_BYTES = 1
def watch(stage, rows, total):
    if stage == "Loading" and rows > 120_000:
        os.kill(os.getpid(), signal.SIGKILL)
publish_file(Database(sys.argv[1]), Path(sys.argv[2]), PublishOptions(), records=lambda *_: None, progress=watch)
"""


def test_a_killed_loader_is_gone_on_with(database: Database, database_url: str, file: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, database_url, str(file)], check=False, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    done, loaded = publish(database, file)
    assert done.rows == ROWS
    assert 0 < loaded < ROWS
    assert stored(database) == WHOLE


def test_after_a_day_it_goes(database: Database, file: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        publish(database, file, stop_at=120_000)
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE vo.loads SET started = started - interval '2 days'"))
    assert sweep(database) == 1

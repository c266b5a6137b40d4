"""Commands on a database: ``vo db``, what a server does before it serves, and how failures are told."""

import threading
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.exc import OperationalError
from typer.testing import CliRunner

from vo_server import cli
from vo_server.cli import app as program
from vo_server.cli.db import app
from vo_server.cli.serve import take_address
from vo_server.db.catalogue import read_address
from vo_server.db.database import Database
from vo_server.db.listen import Watch
from vo_server.db.serving import first_to_serve
from vo_server.errors import NotFoundError
from vo_server.settings import Settings


def test_status_init_status(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VO_DATABASE_URL", postgres_url)
    runner = CliRunner()
    before = runner.invoke(app, ["status"])
    assert before.exit_code == 1
    assert "revision none" in before.stdout
    assert "vo db init" in before.stdout
    made = runner.invoke(app, ["init"])
    assert (made.exit_code, made.exception) == (0, None)
    assert "was at nothing, is up to date" in made.stdout
    after = runner.invoke(app, ["status"])
    assert after.exit_code == 0
    assert "up to date" in after.stdout
    assert "was up to date" in runner.invoke(app, ["migrate"]).stdout


@pytest.mark.parametrize("arguments", [["list"], ["adql", "SELECT 1 FROM tap_schema.tables"], ["db", "status"]])
def test_looking_makes_no_database(tmp_path: Path, arguments: list[str]) -> None:
    result = CliRunner().invoke(program, [*arguments, "--data-dir", str(tmp_path / "none")])
    assert isinstance(result.exception, NotFoundError)
    assert str(tmp_path / "none") in str(result.exception)
    assert not (tmp_path / "none").exists()


def test_the_second_server_leaves_the_address_to_the_first(database: Database, capsys: pytest.CaptureFixture[str]) -> None:
    def address() -> str | None:
        with database.engine.connect() as connection:
            return read_address(connection)

    with first_to_serve(database) as first:
        take_address(Settings(port=55520), database, first=first)
        with first_to_serve(database) as second:
            assert (first, second) == (True, False)
            take_address(Settings(port=55521), database, first=second)
            assert address() == "http://127.0.0.1:55520"
            assert "VO_PUBLIC_URL" in capsys.readouterr().err
            take_address(Settings(public_url="http://vo.test"), database, first=second)
            assert address() == "http://vo.test"
    with first_to_serve(database) as again:
        assert again


def run_main(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> int:
    def broken() -> None:
        raise error

    monkeypatch.setattr(cli, "app", broken)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(str(ended.value.code))


def test_a_mistake_of_ours_is_a_sentence_and_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    assert run_main(monkeypatch, ZeroDivisionError("postgresql://me:s3cret@h/d")) == 1
    told = capsys.readouterr().err
    (file,) = tmp_path.iterdir()
    assert str(file) in told
    assert "Traceback" not in told
    assert "ZeroDivisionError" in file.read_text()
    assert "s3cret" not in told + file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_database_that_is_away_is_a_sentence(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_main(monkeypatch, OperationalError("SELECT 1", {}, psycopg.OperationalError("gone"))) == 1
    assert capsys.readouterr().err == "error: The database does not answer: gone.\n"
    assert run_main(monkeypatch, psycopg.errors.DiskFull("no space")) == 1
    assert "could not do it: no space." in capsys.readouterr().err
    assert run_main(monkeypatch, KeyboardInterrupt()) == 130


def test_a_watch_goes_on_after_what_it_could_not_do(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    heard = threading.Event()
    seen: list[str | None] = []

    def stumble(payload: str | None) -> None:
        seen.append(payload)
        if len(seen) < 3:
            raise RuntimeError(payload)
        heard.set()

    watch = Watch("test-watch", database.app_uri, "vo_test", stumble)
    watch.start()
    assert heard.wait(20)
    watch.stop()
    assert [record.exc_info is not None for record in caplog.records if "test-watch" in record.getMessage()] == [True]

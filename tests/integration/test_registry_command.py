"""vo registry and vo retract, on a database."""

import json
import os
import pty
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text
from typer.testing import CliRunner, Result

from vo_registry.records.entry import SERVICE_SUBJECTS
from vo_server.app import fingerprint, keep_current, record_keeper, render_records
from vo_server.cli import app
from vo_server.db.catalogue import bump_version, load_site
from vo_server.db.database import Database
from vo_server.db.records import find_record, lock_records, page_of_records, versions_of_record
from vo_server.observations.collections import Collection, Work, store
from vo_server.publish import PublishOptions, publish_file
from vo_server.publish.datasets import Dataset
from vo_server.settings import Settings

Run = Callable[..., Result]
STARS = "ivo://example.vo-server/sky/stars"
REAL = ("--authority", "vo.observatory.fr", "--organisation", "The Observatory", "--email", "vo@observatory.fr", "--contact", "VO team")
SETTINGS = Settings(public_url="https://vo.observatory.fr")


@pytest.fixture
def stars(database: Database, tmp_path: Path) -> Path:
    file = tmp_path / "stars.csv"
    file.write_text("name,ra,dec\nVega,279.2,38.8\nRigel,78.6,-8.2\n")
    publish_file(database, file, PublishOptions(schema="sky", title="Stars"), records=record_keeper(SETTINGS), progress=None)
    return file


@pytest.fixture
def run(database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    monkeypatch.setenv("VO_DATABASE_URL", database_url)
    monkeypatch.setenv("VO_PUBLIC_URL", "https://vo.observatory.fr")
    monkeypatch.chdir(tmp_path)
    terms = {name: {} for name in ("catalogs", *SERVICE_SUBJECTS)}
    Path("terms.json").write_text(json.dumps({"terms": terms}))
    return lambda *arguments: CliRunner().invoke(app, list(arguments))


def alive(database: Database) -> set[str]:
    with database.engine.connect() as connection:
        return {one.identifier for one in page_of_records(connection, limit=1000) if not one.deleted}


@pytest.mark.usefixtures("stars")
def test_a_publisher_takes_the_place_of_the_example(database: Database, run: Run) -> None:
    assert (
        "authority: example.vo-server is an example" in run("registry", "check", "--schemata", "none", "--thesaurus", "terms.json").output
    )
    before = alive(database)
    done = run("registry", "init", *REAL)
    assert done.exit_code == 0, done.output
    assert f"records: {len(before)} new, 0 changed, {len(before)} deleted" in done.output
    assert alive(database) == {name.replace("example.vo-server", "vo.observatory.fr") for name in before}
    with database.engine.connect() as connection:
        tombstone = find_record(connection, STARS)
        assert tombstone is not None
        assert tombstone.deleted
        site = load_site(connection)
        assert (site.title, site.contact_name) == ("The Observatory data centre", "VO team")
        assert connection.execute(text("SELECT count(*) FROM rr.resource WHERE ivoid LIKE 'ivo://example%'")).scalar() == 0
    checked = run("registry", "check", "--schemata", "none", "--thesaurus", "terms.json")
    assert checked.exit_code == 0, checked.output
    assert "nothing is to be mended" in checked.output
    again = run("registry", "init", *REAL)
    assert "records: 0 new, 0 changed, 0 deleted" in again.output


def test_a_publisher_that_nobody_would_take_is_refused(database: Database, run: Run) -> None:
    refused = run("registry", "init", *REAL[2:], "--authority", "example.org")
    assert "example.org is an example" in str(refused.exception)
    assert "--authority, --email must be given" in str(run("registry", "init", "--organisation", "X").exception)
    with database.engine.connect() as connection:
        assert load_site(connection).is_example


@pytest.mark.usefixtures("stars")
def test_records_are_shown_and_compared(database: Database, run: Run) -> None:
    assert "<title>Stars</title>" in run("registry", "show", "sky/stars").output
    assert "<dc:title>Stars</dc:title>" in run("registry", "show", STARS.upper().replace("IVO:", "ivo:"), "--format", "oai_dc").output
    assert "Near it are" in str(run("registry", "show", "sky/star").exception)
    assert "There is no format" in str(run("registry", "show", "sky/stars", "--format", "marc").exception)
    assert run("registry", "diff").output == ""
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE vo.resources SET body = jsonb_set(body, '{title}', '\"Suns\"') WHERE name = 'stars'"))
    changed = run("registry", "diff", "sky/stars")
    assert changed.exit_code == 1
    assert "-  <title>Stars</title>\n+  <title>Suns</title>\n" in changed.output
    assert "@updated" not in changed.output
    assert "-  <title>" not in run("registry", "diff", "org").output


def test_what_is_retracted_leaves_a_tombstone_and_may_return(database: Database, run: Run, stars: Path) -> None:
    assert run("retract", "sky.stars").output == "sky.stars: retracted, and with it the record sky/stars\n"
    assert STARS not in alive(database)
    assert run("registry", "show", "sky/stars").output.startswith(f"{STARS} was deleted at 2")
    assert "There is no table sky.stars" in str(run("retract", "sky.stars").exception)
    assert "belongs to the server" in str(run("retract", "ivoa.obscore").exception)
    assert "There is no collection" in str(run("retract", "nothing").exception)
    publish_file(database, stars, PublishOptions(schema="sky"), records=record_keeper(SETTINGS), progress=None)
    assert STARS in alive(database)
    with database.engine.connect() as connection:
        assert [one.deleted for one in versions_of_record(connection, STARS)][-1] is False


def test_history_keeps_every_version(database: Database, stars: Path) -> None:
    times = iter(datetime(2100, 1, day, tzinfo=UTC) for day in range(1, 9))
    for title in ("Suns", "Suns", "Stars again"):
        records = record_keeper(SETTINGS, lambda: next(times))
        publish_file(database, stars, PublishOptions(schema="sky", title=title), records=records, progress=None)
    with database.engine.connect() as connection:
        versions = versions_of_record(connection, STARS)
    titles = ("Stars", "Suns", "Stars again")
    assert all(f"<title>{title}</title>" in (one.metadata or "") for one, title in zip(versions, titles, strict=True))


def test_publishing_renders_what_changed_and_the_same_as_all(database: Database, stars: Path) -> None:
    """The records rendered for one resource are those that rendering everything gives."""
    with database.engine.begin() as connection:
        some, every = render_records(SETTINGS, connection, "sky/stars"), render_records(SETTINGS, connection)
        assert some.keys() == {STARS, "ivo://example.vo-server/tap"}
        assert all(some[name] == every[name] for name in some)
        assert not record_keeper(SETTINGS)(connection)
    publish_file(database, stars, PublishOptions(schema="sky", table="more", title="More"), records=record_keeper(SETTINGS), progress=None)
    with database.engine.begin() as connection:
        assert not record_keeper(SETTINGS)(connection), "nothing is left to change"


def test_datasets_of_one_collection_change_what_is_said_of_others(database: Database, tmp_path: Path) -> None:
    """A service that comes to be is said in the records of all that it finds, and the query that tests it in its own alone."""

    def publish(name: str, place: float | None) -> None:
        one = Dataset(
            path="a.fits", obs_id="a", access_format="image/fits", access_estsize=1, dataproduct_type="image", s_ra=place, s_dec=place
        )
        with database.engine.begin() as connection:
            store(connection, Collection(name=name, directory=tmp_path), [one], {}, Work(records=record_keeper(SETTINGS)))
        with database.engine.connect() as connection:
            for identifier, now in render_records(SETTINGS, connection).items():
                stored = find_record(connection, identifier, "ivo_vor")
                assert stored is not None
                assert now.like(stored.metadata or "") == stored.metadata, f"{identifier} after {name}"

    for name, place in (("unplaced", None), ("placed", 20.0), ("before", 10.0)):
        publish(name, place)
    with database.engine.connect() as connection:
        found = find_record(connection, "ivo://example.vo-server/data/unplaced", "ivo_vor")
        text = found.metadata if found is not None else None
        assert text is not None
        assert 'standardID="ivo://ivoa.net/std/SIA#aux"' in text
        assert len(versions_of_record(connection, "ivo://example.vo-server/data/placed")) == 1


@pytest.mark.usefixtures("stars")
def test_init_and_publish_wait_for_each_other(database: Database, run: Run) -> None:
    """Both write the site's row and the records: in one order, else each would wait for what the other has."""
    with database.engine.connect() as publishing, ThreadPoolExecutor() as threads:
        lock_records(publishing)
        init = threads.submit(run, "registry", "init", *REAL)
        waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'vo.records'::regclass")
        while not init.done() and not publishing.execute(waiting).scalar():
            time.sleep(0.01)
        assert not init.done()
        bump_version(publishing)
        record_keeper(SETTINGS)(publishing, "sky/stars")
        publishing.commit()
        assert init.result().exit_code == 0, init.result().output
    assert STARS.replace("example.vo-server", REAL[1]) in alive(database)


@pytest.mark.usefixtures("stars")
def test_a_restart_renders_nothing_unless_something_else_is_to_be_said(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    with database.engine.begin() as connection:
        keep_current(SETTINGS, connection)
        monkeypatch.setattr("vo_server.app.render_records", lambda *_: pytest.fail("everything was rendered again"))
        keep_current(SETTINGS, connection)
        assert fingerprint(SETTINGS, connection) != fingerprint(SETTINGS.model_copy(update={"hard_maxrec": 7}), connection)


@pytest.mark.usefixtures("stars")
def test_init_asks_at_a_terminal_and_asks_again(database: Database, database_url: str, tmp_path: Path) -> None:
    """A wrong answer is asked again with its reason; what is known already, or follows from an answer, need not be typed."""
    ours, theirs = pty.openpty()
    answers = ["x", "example.org", "stars.fr", "Stars of France", "", "nobody", "vo@stars.fr", "", ""]
    command = [sys.executable, "-m", "vo_server", "registry", "init"]
    environment = {**os.environ, "VO_DATABASE_URL": database_url, "VO_PUBLIC_URL": SETTINGS.base_url, "TERM": "dumb"}
    with subprocess.Popen(command, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path, env=environment) as program:
        os.write(ours, "".join(f"{answer}\n" for answer in answers).encode())
        told, errors = (text.decode() for text in program.communicate(timeout=60))
    os.close(ours)
    os.close(theirs)
    assert program.returncode == 0, told + errors
    for reason in ("'x' is not an authority", "example.org is an example", "'nobody' is not an address"):
        assert reason in told + errors
    assert "Stars of France publishes as ivo://stars.fr" in told
    with database.engine.connect() as connection:
        site = load_site(connection)
    assert (site.authority, site.contact_email, site.title) == ("stars.fr", "vo@stars.fr", "Stars of France data centre")

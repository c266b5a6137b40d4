"""Tables of others, published where they are: what is asked, what is told, what is left alone, and how fast they are found."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import psycopg
import publishing
import pytest
from publishing import NOON, catalogue, silent

from vo_server.db.database import Database
from vo_server.errors import DataError, QueryError
from vo_server.model.catalogue import Table
from vo_server.publish import Consent, Published, PublishOptions, publish_file, publish_in_place
from vo_server.sql import compile_adql

MAKE = """
    CREATE SCHEMA photometry;
    CREATE TABLE photometry.stars (
      id int PRIMARY KEY, ra float8, "Dec" float8, mag numeric(6, 3), seen timestamptz, name varchar(20), spot point, flags int2[]
    );
    COMMENT ON TABLE photometry.stars IS 'Stars that were there first';
    COMMENT ON COLUMN photometry.stars.mag IS 'brightness in V';
    INSERT INTO photometry.stars
      SELECT i, i * 0.036, 89 * sin(i), 5 + i / 1000.0, '2020-01-01 12:00+02', 'star ' || i, '(1,2)', '{1,2}'
      FROM generate_series(0, 9999) AS i;
    INSERT INTO photometry.stars VALUES (-1, NULL, NULL, NULL, NULL, 'nowhere'), (-2, 'NaN', 0, NULL, NULL, 'nothing');
    CREATE VIEW photometry.bright AS SELECT id AS number, ra, "Dec", mag FROM photometry.stars WHERE mag < 10;
    ANALYZE photometry.stars
"""
CONE = "SELECT id, mag, seen FROM photometry.stars WHERE DISTANCE(ra, dec, 36, -37.3) < 5 ORDER BY id"


@pytest.fixture
def foreign(database: Database) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database.app_uri, autocommit=True) as connection:
        connection.execute(MAKE)
        yield connection


def published(database: Database, name: str = "photometry.stars", *, index: bool = True, grant: bool = True, **options: str) -> Published:
    done = PublishOptions(**options)  # type: ignore[arg-type]
    return publish_in_place(database, name, done, Consent(index, grant), records=silent, clock=lambda: NOON)


def table(database: Database, name: str = "photometry.stars") -> Table:
    return publishing.table(database, name)


def answer(database: Database, adql: str, prefix: str = "") -> list[tuple[object, ...]]:
    """What the query role gets."""
    sql = compile_adql(adql, catalogue(database)).sql
    with psycopg.connect(database.query_uri(), autocommit=True) as connection:
        return connection.execute(f"{prefix}{sql}".encode()).fetchall()


def test_nothing_happens_without_consent(database: Database, foreign: psycopg.Connection) -> None:
    with pytest.raises(DataError, match="users' queries may not read it") as refused:
        published(database, index=False, grant=False)
    assert 'GRANT SELECT ON "photometry"."stars" TO "vo_query"' in str(refused.value.hint)
    foreign.execute("GRANT USAGE ON SCHEMA photometry TO vo_query; GRANT SELECT ON photometry.stars TO vo_query")
    done = published(database, index=False, grant=False)
    statement = 'CREATE INDEX CONCURRENTLY "stars_vo_healpix" ON "photometry"."stars" (vo.healpix("ra", "Dec"))'
    assert any(statement in note for note in done.notes)
    assert foreign.execute("SELECT count(*) FROM pg_indexes WHERE schemaname = 'photometry'").fetchone() == (1,)
    assert not table(database).position.indexed  # type: ignore[union-attr]
    before = answer(database, CONE)
    assert before
    foreign.execute(statement)
    assert not any("index" in note for note in published(database, index=False, grant=False).notes)
    assert table(database).position.computed  # type: ignore[union-attr]
    assert answer(database, CONE) == before


def test_types_comments_and_keys_become_metadata(database: Database, foreign: psycopg.Connection) -> None:
    done = published(database)
    assert (done.table, done.rows, done.positions) == ("photometry.stars", 10_002, True)
    assert any("the column spot is of the type point, which cannot be served" in note for note in done.notes)
    columns = {column.name: column for column in table(database).columns}
    kinds = {name: (column.datatype, column.arraysize, column.xtype) for name, column in columns.items()}
    assert kinds == {
        "id": ("int", None, None),
        "ra": ("double", None, None),
        "Dec": ("double", None, None),
        "mag": ("double", None, None),
        "seen": ("char", "*", "timestamp"),
        "name": ("unicodeChar", "*", None),
        "flags": ("short", "*", None),
    }
    assert columns["mag"].description == "brightness in V"
    assert (columns["id"].ucd, columns["id"].indexed) == ("meta.id;meta.main", True)
    assert columns["ra"].unit == "deg"
    assert table(database).description == "Stars that were there first"
    found = answer(database, "SELECT mag, seen, flags FROM photometry.stars WHERE id = 7 AND mag / 2 < 3 AND seen > '2019-12-31'")
    assert found == [(5.007, datetime(2020, 1, 1, 10), [1, 2])]


def test_searches_by_position_read_the_index(database: Database, foreign: psycopg.Connection) -> None:
    published(database)
    queries = [
        CONE,
        "SELECT COUNT(*) FROM photometry.stars WHERE 1 = CONTAINS(POINT(ra, dec), POLYGON(30, 10, 31, 10, 30, 11))",
        "SELECT q.id FROM (SELECT id, ra, dec FROM photometry.stars) AS q WHERE DISTANCE(q.ra, q.dec, 36, -37.3) < 0.1",
        "SELECT TOP 5 a.id, b.id FROM photometry.stars a, photometry.stars b WHERE DISTANCE(a.ra, a.dec, b.ra, b.dec) < 1 AND a.id < 9",
    ]
    for adql in queries:
        plan = "\n".join(str(line) for (line,) in answer(database, adql, "EXPLAIN "))
        assert "stars_vo_healpix" in plan
    with_index = [sorted(map(repr, answer(database, adql.replace("TOP 5 ", "")))) for adql in queries]
    foreign.execute("DROP INDEX photometry.stars_vo_healpix")
    published(database, index=False)
    assert [sorted(map(repr, answer(database, adql.replace("TOP 5 ", "")))) for adql in queries] == with_index


def test_others_go_on_writing(database: Database, foreign: psycopg.Connection) -> None:
    published(database)
    foreign.execute("CREATE ROLE a_writer; GRANT USAGE ON SCHEMA photometry TO a_writer; GRANT ALL ON photometry.stars TO a_writer")
    try:
        foreign.execute("GRANT a_writer TO CURRENT_USER; SET ROLE a_writer")
        foreign.execute('INSERT INTO photometry.stars (id, ra, "Dec") VALUES (20000, 36, -37.3)')
        foreign.execute("RESET ROLE")
        assert 20000 in {row[0] for row in answer(database, CONE)}
    finally:
        foreign.execute("RESET ROLE; DROP OWNED BY a_writer; DROP ROLE a_writer")


def test_a_view_uses_the_index_of_the_table_behind_it(database: Database, foreign: psycopg.Connection) -> None:
    done = published(database, "photometry.bright")
    assert (done.rows, table(database, "photometry.bright").kind) == (5000, "view")
    adql = "SELECT number FROM photometry.bright WHERE DISTANCE(ra, dec, 36, -37.3) < 5"
    assert "stars_vo_healpix" in str(answer(database, adql, "EXPLAIN "))
    assert answer(database, adql)


def test_a_descriptor_describes_and_renames(database: Database, foreign: psycopg.Connection, tmp_path: Path) -> None:
    path = tmp_path / "stars.toml"
    path.write_text(
        '[resource]\ntitle = "The stars"\n[table]\nsource = "photometry.stars"\n'
        '[columns.mag]\nunit = "mag"\nucd = "phot.mag"\nname = "vmag"\n[columns.Dec]\nname = "decl"\n'
    )
    published(database, str(path), ra="ra", dec="decl")
    found = table(database)
    assert found.title == "The stars"
    assert found.column("vmag").unit == "mag"  # type: ignore[union-attr]
    adql = "SELECT id, vmag FROM photometry.stars WHERE DISTANCE(ra, decl, 36, -37.3) < 5"
    assert "stars_vo_healpix" in str(answer(database, adql, "EXPLAIN "))
    assert answer(database, adql)


def test_a_descriptor_leaves_columns_out(database: Database, foreign: psycopg.Connection, tmp_path: Path) -> None:
    path = tmp_path / "stars.toml"
    path.write_text('[table]\nsource = "photometry.stars"\nonly_described = true\n[columns.id]\n[columns.ra]\n[columns.Dec]\n')
    published(database, str(path))
    assert [column.name for column in table(database).columns] == ["id", "ra", "Dec"]
    with pytest.raises(QueryError, match="mag"):
        answer(database, "SELECT mag FROM photometry.stars")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("photometry.nothing", "there is no such table"),
        ("vo.tables", "belongs to this server"),
        ("pg_catalog.pg_class", "belongs to this server or to PostgreSQL"),
        ("a.b.c.d", "no name of a table"),
        ("photometry.stars_pkey", "neither a table nor a view"),
    ],
)
def test_what_cannot_be_published_is_refused(database: Database, foreign: psycopg.Connection, name: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        published(database, name)


def test_files_and_tables_in_place_do_not_replace_each_other(database: Database, foreign: psycopg.Connection, tmp_path: Path) -> None:
    published(database)
    path = tmp_path / "stars.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="was not made by publishing a file"):
        publish_file(database, path, PublishOptions(schema="photometry"), records=silent)
    publish_file(database, path, PublishOptions(schema="other"), records=silent)
    with pytest.raises(DataError, match="was not made by publishing in place"):
        published(database, schema="other")
    assert published(database).replaced


def test_a_descriptor_creates_no_index_in_a_table_that_is_not_ours(database: Database, foreign: psycopg.Connection, tmp_path: Path) -> None:
    (tmp_path / "stars.toml").write_text('[table]\nsource = "photometry.stars"\n[columns.mag]\nindex = true\n')
    with pytest.raises(DataError, match="it has no index"):
        published(database, str(tmp_path / "stars.toml"))
    assert foreign.execute("SELECT count(*) FROM pg_indexes WHERE schemaname = 'photometry'").fetchone() == (1,)

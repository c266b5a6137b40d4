"""``vo adql``: what an ADQL text becomes, and whether it is ADQL at all."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from sqlalchemy import Connection

from vo_server.adql.sense import check_sense
from vo_server.cli.common import ConfigFile, DataDir, ready_database, refuse_nothing, say, settings_from
from vo_server.db.catalogue import load_catalogue
from vo_server.errors import UsageError, VoError
from vo_server.sql import compile_adql, parse_adql

Judge = Callable[[str], object]
"""Raises VoError for a text that is no query."""


def translate(
    query: Annotated[
        str | None, typer.Argument(help="The ADQL text; with --jsonl a file, or - for standard input.", metavar="QUERY")
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Print PostgreSQL's plan, too.")] = False,
    syntax_only: Annotated[
        bool, typer.Option("--syntax-only", help="Judge the grammar, and what makes no sense whatever the tables are, without a database.")
    ] = False,
    jsonl: Annotated[
        bool, typer.Option("--jsonl", help='Read lines {"id": …, "adql": …}; print for each {"id": …, "ok": true or false, "error": …}.')
    ] = False,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Print the SQL of an ADQL query over the published tables."""
    if explain and (syntax_only or jsonl):
        raise UsageError("--explain needs one query and the tables.", hint="Leave out --syntax-only and --jsonl.")
    if query is None and not jsonl:
        raise UsageError("There is no query.", hint='Write vo adql "SELECT …".')
    with ExitStack() as stack:
        connection = None
        if not syntax_only:
            settings = settings_from(config, data_dir=data_dir)
            refuse_nothing(settings)
            database = stack.enter_context(ready_database(settings))
            connection = stack.enter_context(database.engine.connect())
        judge: Judge = judge_alone if connection is None else partial(compile_adql, catalogue=load_catalogue(connection))
        if jsonl:
            judge_lines(query or "-", judge)
        elif connection is None:
            judge(query or "")
            print("ok")
        else:
            show(connection, query or "", explain=explain)


def judge_alone(text: str) -> None:
    """Judge what needs no tables: the grammar, and what no tables could give a meaning."""
    check_sense(parse_adql(text))


def show(connection: Connection, query: str, *, explain: bool) -> None:
    """Print a query's SQL and, below it, its plan."""
    statement = compile_adql(query, load_catalogue(connection))
    for warning in statement.warnings:
        say(f"warning: {warning}")
    print(statement.sql)
    if explain:
        cursor = connection.connection.cursor()
        # without parameters, psycopg takes the text as it is: percent signs included
        cursor.execute(f"EXPLAIN {statement.sql}")
        print("\n".join(("", *(row[0] for row in cursor.fetchall()))))


def judge_lines(source: str, judge: Judge) -> None:
    """Print a verdict for each line of a file, or (``-``) of standard input."""
    if source == "-":
        lines: Iterable[bytes] = sys.stdin.buffer
    else:
        try:
            lines = Path(source).read_bytes().splitlines()
        except OSError as error:
            raise UsageError(f"{source} cannot be read: {error.strerror}.") from None
    for verdict in verdicts(lines, judge):
        sys.stdout.write(json.dumps(verdict) + "\n")


def verdicts(lines: Iterable[bytes], judge: Judge) -> Iterator[dict[str, Any]]:
    """What `judge` says of the query on each line; empty lines are left out."""
    for line in lines:
        if not line.strip():
            continue
        try:
            entry = json.loads(line.strip())
        except ValueError as error:
            yield {"id": None, "ok": False, "error": f"The line is not JSON: {error}."}
            continue
        if not isinstance(entry, dict) or not isinstance(entry.get("adql"), str):
            yield {"id": entry.get("id") if isinstance(entry, dict) else None, "ok": False, "error": 'The line has no text under "adql".'}
            continue
        yield {"id": entry.get("id"), **_verdict(entry["adql"], judge)}


def _verdict(text: str, judge: Judge) -> dict[str, Any]:
    try:
        judge(text)
    except VoError as error:
        return {"ok": False, "error": str(error)}
    return {"ok": True, "error": None}

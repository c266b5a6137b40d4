"""``/query``: ADQL to write, check and run. Complete without JavaScript; with it the editor helps and rows can be sorted and drawn."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from vo_server.adql.functions import BY_NAME
from vo_server.adql.words import AGGREGATES, RESERVED
from vo_server.db.stream import ResultStream
from vo_server.errors import QueryError, QueryMeaningError, TooLargeError, UnavailableError, UsageError, VoError
from vo_server.http.admission import Kind
from vo_server.http.errors import Dialect, guard
from vo_server.http.identity import caller
from vo_server.http.params import read_params
from vo_server.http.threads import in_thread
from vo_server.model.names import adql_name, adql_table_name
from vo_server.model.result import Statement
from vo_server.services import Services, Snapshot
from vo_server.sql import compile_adql
from vo_server.web import snippets
from vo_server.web.kit import Kit, find_table
from vo_server.web.samples import Rows, taken

SHOWN_ROWS = 200
"""Rows of a page that is made here; what scripts fetch is limited by themselves."""
MOST_TABLES = 2000
"""Tables whose names an editor completes."""

NO_STORE = {"Cache-Control": "no-store"}


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a query, as a page and a script tell it. Lines and columns count from 1; 0: it lies nowhere in particular."""

    message: str
    hint: str | None
    line: int = 0
    column: int = 0
    length: int = 0
    excerpt: str = ""

    @classmethod
    def of(cls, error: VoError) -> "Fault":
        """The fault that an error tells."""
        if isinstance(error, QueryError):
            return cls(error.message, error.hint, error.line, error.column, max(1, len(error.word)), error.excerpt)
        return cls(error.message, error.hint)


def routes(kit: Kit) -> list[Route]:
    """The page, and what its editor asks."""
    queries = Queries(kit)
    return [
        Route("/query", kit.endpoint(queries.page), methods=["GET", "POST"]),
        Route("/query/check", guard(queries.check, Dialect.TEXT), methods=["GET", "POST"]),
        Route("/query/words.json", guard(queries.words, Dialect.TEXT), methods=["GET"]),
        Route("/query/columns.json", guard(queries.columns, Dialect.TEXT), methods=["GET"]),
    ]


class Queries:
    """The endpoints of ``/query``."""

    def __init__(self, kit: Kit) -> None:
        self.kit = kit
        self.services: Services = kit.services

    async def page(self, request: Request, snapshot: Snapshot) -> str:
        """The form; with the parameter ``run`` also the first rows of what the query finds, or what is wrong with it."""
        params = await read_params(request)
        query = params.one("QUERY")
        found, fault, overflow = None, None, False
        if query and params.one("RUN") is not None:
            try:
                rows = await self._run(request, query)
                found, overflow = Rows(rows.columns, rows.values[:SHOWN_ROWS]), len(rows.values) > SHOWN_ROWS
            except VoError as error:
                fault = Fault.of(error)
        example = snippets.example(snapshot.catalogue, snapshot.resources)
        return self.kit.render(
            "query.html",
            snapshot,
            query=query or (example.adql if example else "SELECT table_name, description FROM tap_schema.tables"),
            found=found,
            overflow=overflow,
            fault=fault,
            settings=self.services.settings,
        )

    async def check(self, request: Request) -> Response:
        """Whether the text in QUERY can be run: ``{"ok": true, "columns": [names], "warnings": [sentences]}``, or ``{"ok": false}`` with
        ``message``, ``hint``, ``line``, ``column`` and ``length``.
        """
        query = (await read_params(request)).one("QUERY") or ""
        try:
            statement = await in_thread(self._compiled, query)
        except VoError as error:
            fault = Fault.of(error)
            told = {name: getattr(fault, name) for name in ("message", "hint", "line", "column", "length")}
            return JSONResponse({"ok": False, **told}, headers=NO_STORE)
        columns = [column.name for column in statement.columns]
        return JSONResponse({"ok": True, "columns": columns, "warnings": list(statement.warnings)}, headers=NO_STORE)

    async def words(self, _: Request) -> Response:
        """What an editor completes and colours: tables, functions, reserved words."""
        tables = self.services.catalogue().tables[:MOST_TABLES]
        return JSONResponse(
            {
                "tables": [
                    {"name": adql_table_name(table.schema, table.name), "full_name": table.full_name, "title": table.title or ""}
                    for table in tables
                ],
                "functions": [
                    {"name": function.forms[0].partition("(")[0] if function.forms else name, "title": function.description or ""}
                    for name, function in BY_NAME.items()
                ]
                + [{"name": name, "title": ""} for name in sorted(AGGREGATES)],
                "reserved": sorted(RESERVED),
            },
            headers={"Cache-Control": "max-age=60"},
        )

    async def columns(self, request: Request) -> Response:
        """The columns of a ``table``, as one types them."""
        table = find_table(self.services.snapshot(), request.query_params.get("table", "")).table
        columns = [
            {"name": adql_name(column.name), "unit": column.unit or "", "title": column.description or ""} for column in table.columns
        ]
        return JSONResponse({"columns": columns}, headers={"Cache-Control": "max-age=60"})

    def _compiled(self, query: str) -> Statement:
        """SQL that asks for one row more than are shown."""
        longest = self.services.settings.max_query_length
        if len(query) > longest:
            raise TooLargeError(f"The query has {len(query)} characters; {longest} are taken.")
        if not query.strip():
            raise UsageError("There is no query yet.")
        try:
            return compile_adql(query, self.services.catalogue(), max_rows=SHOWN_ROWS + 1)
        except QueryMeaningError:
            if not self.services.refresh():
                raise
            return compile_adql(query, self.services.catalogue(), max_rows=SHOWN_ROWS + 1)

    async def _run(self, request: Request, query: str) -> Rows:
        """The first rows, under the same limits as ``/tap/sync``; a reader who goes away cancels the query."""
        services = self.services
        statement = await in_thread(self._compiled, query)
        stream = services.pool.open(statement)
        leaving = asyncio.create_task(_cancel_when_gone(request, stream))
        try:
            place = await services.traffic.admission.enter(caller(request, services.settings.trusted_proxies), Kind.LONG, leaving)
            try:
                rows = await in_thread(taken, stream, limiter=services.traffic.threads, seconds=services.traffic.longest)
            except UnavailableError:
                stream.give_up()
                raise
            finally:
                place.leave()
        finally:
            leaving.cancel()
        return Rows(statement.columns, tuple(rows.to_pydict_rows()))


async def _cancel_when_gone(request: Request, stream: ResultStream) -> None:
    with suppress(asyncio.CancelledError):
        message: dict[str, Any] = {}
        while message.get("type") != "http.disconnect":
            message = dict(await request.receive())
        with suppress(UnavailableError):
            await in_thread(stream.cancel)

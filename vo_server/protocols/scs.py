"""Simple Cone Search 1.03: the rows of one table around one position, for every table that has positions."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import quote

from anyio.to_thread import run_sync
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from vo_server import adql
from vo_server.adql import build, tree
from vo_server.dali.numbers import parse_number
from vo_server.errors import NotFoundError, UsageError
from vo_server.formats import Format, choose
from vo_server.http.errors import Dialect, guard
from vo_server.http.params import Params, maxrec, read_params
from vo_server.http.reply import stream
from vo_server.model.capability import ConeSearch, InputParam, Interface, ServiceCapabilities
from vo_server.model.catalogue import Position, Table
from vo_server.model.columns import Column
from vo_server.model.resource import Resource
from vo_server.query.run import Answer
from vo_server.services import Services
from vo_server.settings import Settings
from vo_server.sql import translate

STANDARD_ID = "ivo://ivoa.net/std/ConeSearch"
PATH = "scs"

MAX_SR = 180.0
SAMPLE_SR = 0.1
"""Radius (degrees) of the test query around a row that is known to be there."""

ID_MAIN, RA_MAIN, DEC_MAIN = "ID_MAIN", "POS_EQ_RA_MAIN", "POS_EQ_DEC_MAIN"
MODERN = {ID_MAIN: "meta.id", RA_MAIN: "pos.eq.ra", DEC_MAIN: "pos.eq.dec"}
"""The words of UCD1 that clients of 1.03 look for, which only one column each may have (§2.2.1), and what others that carry them become."""

IDENTIFIES = {"meta.id", "meta.main"}
SEPARATION = Column("_r", "double", unit="deg", ucd="pos.angDistance", description="Distance from the position searched")
PLACE = Column(
    "_id", "char", "*", ucd=ID_MAIN, description="Identifier made of the position, as the table has none; rows at one position share it"
)

PARAMETERS: tuple[InputParam, ...] = (
    InputParam("RA", "real", "Right ascension of the centre, ICRS", "deg", "pos.eq.ra", use="required"),
    InputParam("DEC", "real", "Declination of the centre, ICRS", "deg", "pos.eq.dec", use="required"),
    InputParam("SR", "real", "Radius of the cone; 0 for the metadata alone", "deg", "phys.angSize", use="required"),
    InputParam("VERB", "integer", "Which columns: 1 identifier and position, 2 the principal ones (default), 3 all"),
    InputParam("MAXREC", "integer", "Most rows to send; 0 for the metadata alone", std=False),
    InputParam("RESPONSEFORMAT", "string", "Format of the answer; VOTable if absent", std=False),
)


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked (§2.1): a cone in ICRS degrees, 0 ≤ ra < 360, and how much of its rows."""

    ra: float
    dec: float
    radius: float
    verbosity: int
    format: Format
    content_type: str
    maxrec: int

    @classmethod
    def from_params(cls, params: Params, settings: Settings) -> "Request":
        """Read the parameters; raises UsageError that names the one that does not fit. Unknown parameters are ignored."""
        ra = _number(params, "RA") % 360.0
        dec = _bounded(params, "DEC", -90.0, 90.0)
        radius = _bounded(params, "SR", 0.0, MAX_SR)
        format_, content_type = choose(params.one("RESPONSEFORMAT"))
        limit = maxrec(params, default=settings.default_maxrec, hard=settings.hard_maxrec)
        return cls(ra, dec, radius, _verbosity(params), format_, content_type, settings.default_maxrec if limit is None else limit)

    def query(self, table: Table) -> tree.Query:
        """``SELECT distance, columns FROM table WHERE the position lies in the cone ORDER BY distance``."""
        position = _position(table)
        ra, dec = build.column(position.ra), build.column(position.dec)
        distance = build.call("DISTANCE", build.call("POINT", ra, dec), build.call("POINT", self.ra, self.dec))
        outputs = (Output(_separation(table), distance), *outputs_of(table, self.verbosity))
        items = tuple(tree.Item(0, output.value, build.name(output.column.name)) for output in outputs)
        source = tree.TableName(0, (build.name(table.schema), build.name(table.name)))
        cone = build.within(ra, dec, self.ra, self.dec, self.radius)
        return tree.Query(0, tree.Select(0, items, (source,), cone), (tree.OrderKey(0, tree.Number(0, 1)),))


@dataclass(frozen=True, slots=True)
class Output:
    """A column as the answer describes it, and what the query selects for it."""

    column: Column
    value: tree.Value


def outputs_of(table: Table, verbosity: int) -> tuple[Output, ...]:
    """What an answer has of a table, without the distance. The three columns that 1.03 requires carry its UCDs (§2.2.1).

    VERB=2 gives the columns marked as principal, or all if nothing but identifier and position is marked.
    """
    position, identifier = _position(table), _identifier(table)
    roles = {position.ra: RA_MAIN, position.dec: DEC_MAIN} | ({identifier.name: ID_MAIN} if identifier else {})
    whole = tuple(_output(column, roles.get(column.name)) for column in table.columns)
    if identifier is None:
        whole = (_place(table), *whole)
    required = tuple(output for output in whole if output.column.ucd in MODERN)
    principal = tuple(output for output in whole if output.column.ucd in MODERN or output.column.principal)
    if verbosity == 1:
        return required
    return principal if verbosity == 2 and len(principal) > len(required) else whole


def routes(services: Services) -> list[Route]:
    """``/scs/{schema.table}``."""

    async def search(request: HttpRequest) -> Response:
        asked = Request.from_params(await read_params(request), services.settings)
        answer = await run_sync(lambda: perform(services, request.path_params["table"], asked), limiter=services.traffic.threads)
        return await stream(request, answer, services.traffic)

    return [Route(f"/{PATH}/{{table:path}}", guard(search, Dialect.SCS), methods=["GET", "POST"])]


def perform(services: Services, name: str, asked: Request) -> Answer:
    """The answer to `asked` of the table called `name`, not yet started."""
    table = _find(services, name)
    statement = translate(adql.resolve(asked.query(table), services.catalogue()), max_rows=asked.maxrec + 1)
    described = (_separation(table), *(output.column for output in outputs_of(table, asked.verbosity)))
    return services.answer(
        statement, STANDARD_ID, asked.format, asked.content_type, asked.maxrec, columns=described, description=table.title
    )


def capability(settings: Settings, table: Table, resources: Sequence[Resource]) -> ServiceCapabilities:
    """The cone search of one table (SimpleDALRegExt 1.2 §3.1)."""
    test = _test_query(table, resources)
    cone = ConeSearch(
        standard_id=STANDARD_ID,
        interfaces=(
            Interface(
                f"{settings.base_url}/{PATH}/{quote(table.full_name)}?",
                result_type="application/x-votable+xml",
                params=PARAMETERS,
                test_query="RA={}&DEC={}&SR={}".format(*test),
            ),
        ),
        description=f"Rows of {table.full_name} around a position.",
        max_sr=MAX_SR,
        max_records=settings.hard_maxrec,
        verbosity=len(outputs_of(table, 1)) < len(outputs_of(table, 3)),
        test_query=test,
    )
    return ServiceCapabilities(f"{PATH}/{table.full_name}", (cone,))


def _find(services: Services, name: str) -> Table:
    table = services.catalogue().table(name)
    if table is None and services.refresh():
        table = services.catalogue().table(name)
    if table is None:
        raise NotFoundError(f"There is no table {name}.", hint="See /tap/tables for all tables.")
    return table


def _position(table: Table) -> Position:
    if table.position is None:
        raise NotFoundError(f"The table {table.full_name} has no positions to search.", hint="Query it by TAP.")
    return table.position


def _identifier(table: Table) -> Column | None:
    """The column that identifies a row: publishing marks one only if its values do."""
    marked = (column for column in table.columns if set((column.ucd or "").lower().split(";")) == IDENTIFIES and not column.is_array)
    return next(marked, None)


def _output(column: Column, role: str | None) -> Output:
    """A column of the table; `role` is the UCD that 1.03 requires of it, which fixes its type too."""
    value: tree.Value = build.column(column.name)
    if role is None:
        return Output(replace(column, ucd=MODERN.get((column.ucd or "").upper(), column.ucd)), value)
    if role == ID_MAIN:
        typed = column if column.is_text else replace(column, datatype="char", arraysize="*")
    else:
        typed = replace(column, datatype="double", unit="deg")
    if typed.datatype != column.datatype:
        value = tree.Cast(0, value, "VARCHAR" if role == ID_MAIN else "DOUBLE PRECISION")
    return Output(replace(typed, ucd=role), value)


def _place(table: Table) -> Output:
    """An identifier for tables without one: "ra dec"."""
    position = _position(table)
    ra, dec = (tree.Cast(0, build.column(name), "VARCHAR") for name in (position.ra, position.dec))
    value = tree.Chain(0, ra, (tree.Operation("||", 0, tree.Text(0, " ")), tree.Operation("||", 0, dec)))
    return Output(replace(PLACE, name=_free_name(PLACE, table)), value)


def _separation(table: Table) -> Column:
    return replace(SEPARATION, name=_free_name(SEPARATION, table))


def _free_name(column: Column, table: Table) -> str:
    """The name of an additional column, with underscores in front as long as the table has one of this name."""
    name = column.name
    while table.column(name) is not None:
        name = f"_{name}"
    return name


def _test_query(table: Table, resources: Sequence[Resource]) -> tuple[float, float, float]:
    """A cone with a row in it: around the resource's sample if that is a row of this table alone, else the whole sky."""
    resource = next((resource for resource in resources if resource.id == table.resource), None)
    if resource is None or resource.sample is None:
        return (0.0, 0.0, MAX_SR)
    return (*resource.sample, SAMPLE_SR if len(resource.tables) == 1 else MAX_SR)


def _number(params: Params, name: str) -> float:
    text = params.one(name)
    if text is None or not text.strip():
        raise UsageError(f"The parameter {name} is missing.", hint="A cone search needs RA, DEC and SR, in degrees.", parameter=name)
    return parse_number(text.strip(), name)


def _bounded(params: Params, name: str, lower: float, upper: float) -> float:
    value = _number(params, name)
    if not lower <= value <= upper:
        raise UsageError(f"{name}={value:g} is not between {lower:g} and {upper:g} degrees.", parameter=name)
    return value


def _verbosity(params: Params) -> int:
    text = (params.one("VERB") or "2").strip()
    if text not in ("1", "2", "3"):
        raise UsageError(f"VERB={text!r} is not 1, 2 or 3.", parameter="VERB")
    return int(text)

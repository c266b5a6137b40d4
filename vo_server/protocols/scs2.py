"""SCS2 (working draft of 2026): catalogues around positions, in regions and around uploaded positions, narrowed by their own columns.

One service searches every table (TABLE says which), and one more for each table declares that table's columns as parameters (draft §6.2,
whose scenarios these are). Names of parameters have case here, and unknown ones are errors.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from urllib.parse import quote

from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from vo_server import adql
from vo_server.adql import build, tree
from vo_server.dali.numbers import parse_number
from vo_server.dali.shapes import SYNTAX, Circle, Range, Shape, parse_shape
from vo_server.dali.uploads import Upload, parse_uploads
from vo_server.documents.vosi import TABLES_ID, vosi_capabilities
from vo_server.errors import NotFoundError, UsageError
from vo_server.formats import Format, choose
from vo_server.http.admission import Kind
from vo_server.http.errors import Dialect, guard
from vo_server.http.params import Params, maxrec, read_params
from vo_server.http.reply import stream
from vo_server.http.threads import UPLOADS_S, in_thread
from vo_server.model.capability import Capability, ConeSearch, InputParam, Interface, ServiceCapabilities
from vo_server.model.catalogue import Catalogue, Table
from vo_server.model.columns import NUMBERS, Column
from vo_server.model.resource import Resource
from vo_server.model.result import Statement
from vo_server.model.service import ServiceDescriptor, ServiceParam
from vo_server.protocols import cones, constraints, outputs, vosi
from vo_server.protocols.cones import UCD1_PLUS
from vo_server.protocols.outputs import Output
from vo_server.query.origin import Asked
from vo_server.query.run import Answer
from vo_server.query.uploads import Parts, UploadedTable, with_uploads
from vo_server.services import Services
from vo_server.settings import Settings
from vo_server.sql import translate

STANDARD_ID = "ivo://ivoa.net/scs2#query-2.0"
PATH = "scs2"
CONE = ("RA", "DEC", "SR")
CENTRES = (CONE, ("POS",), ("UPLOAD",))
"""Of these sets of parameters a query has exactly one (§4.3)."""

CONES = "_cones"
"""What the query calls the uploaded table, so that no table's own name can stand in its way."""

TABLE = InputParam("TABLE", "string", "Name of the table to search", ucd="meta.id;meta.table", use="required")
COMMON: tuple[InputParam, ...] = (
    *(replace(one, use="optional") for one in (cones.RA, cones.DEC, cones.SR)),
    InputParam("POS", "string", f"Region, ICRS: {SYNTAX}", ucd="pos.outline"),
    InputParam("UPLOAD", "string", "Table with the columns RA, DEC and SR, for many cones at once: a name, a comma and an address"),
    cones.VERB,
    cones.MAXREC,
    cones.RESPONSEFORMAT,
)
"""The parameters of the draft (§4.1), TABLE apart."""
PROTOCOL = frozenset(param.name for param in (TABLE, *COMMON))


@dataclass(frozen=True, slots=True)
class Cone:
    """A cone in ICRS degrees; its rows come with their distance, the nearest first."""

    ra: float
    dec: float
    radius: float


Centre = Cone | Shape | Upload


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked of `table`: where, and what else must be true of a row."""

    table: Table
    centre: Centre
    conditions: tuple[tree.Condition, ...]
    verbosity: int
    format: Format
    content_type: str
    maxrec: int

    @classmethod
    def from_params(cls, params: Params, table: Table, settings: Settings) -> "Request":
        """Read the parameters; raises UsageError that names the one that does not fit, is not known, or stands twice (§4.3)."""
        free = free_parameters(table)
        _refuse_others(params, {*PROTOCOL, *free})
        conditions = tuple(condition_of(column, value, name) for name, value in params.pairs if (column := free.get(name)))
        format_, content_type = choose(_value(params, "RESPONSEFORMAT"))
        limit = maxrec(params, default=settings.default_maxrec, hard=settings.hard_maxrec)
        verbosity = cones.verbosity_of(_value(params, "VERB"))
        rows = settings.default_maxrec if limit is None else limit
        return cls(table, _centre(params), conditions, verbosity, format_, content_type, rows)

    def outputs(self) -> tuple[Output, ...]:
        """The columns of the answer, each described (§5)."""
        shown = cones.outputs_of(self.table, self.verbosity, UCD1_PLUS)
        if isinstance(self.centre, Cone):
            shown = (cones.separation(self.table, self.centre.ra, self.centre.dec), *shown)
        return tuple(Output(described(one.column), one.value) for one in shown)


def free_parameters(table: Table) -> dict[str, Column]:
    """The table's own columns as parameters (§4.2): numbers and instants by interval, under their names in lower case, unless the protocol
    has that name or two columns would share it.
    """
    taken = Counter(column.name.lower() for column in table.columns)
    taken.update(name.lower() for name in PROTOCOL)
    usable = (column for column in table.columns if not column.is_array and (column.datatype in NUMBERS or column.is_timestamp))
    return {name: column for column in usable if taken[name := column.name.lower()] == 1}


def condition_of(column: Column, text: str, name: str) -> tree.Condition:
    """What a value of a free parameter asks of its column."""
    read = constraints.dated(column.name) if column.is_timestamp else constraints.within(column.name)
    return read(text, name)


def described(column: Column) -> Column:
    """A column that surely has a description (§5)."""
    return (
        column
        if column.description
        else replace(column, description=f"Column {column.name} of the table, which its publisher did not describe")
    )


def routes(services: Services, capabilities: vosi.CapabilityList, of_table: vosi.TableCapabilities) -> list[Route]:
    """``/scs2`` with ``/capabilities`` and ``/tables`` beside it; the same for one table below ``/scs2/{table}`` (§3)."""

    async def search(request: HttpRequest) -> Response:
        params = await read_params(request)
        fixed = request.path_params.get("table")
        seconds = UPLOADS_S if _value(params, "UPLOAD") else None
        answer = await in_thread(perform, services, fixed, params, limiter=services.traffic.threads_for(params), seconds=seconds)
        return await stream(request, answer, services.traffic, Kind.LONG if _value(params, "UPLOAD") else Kind.SHORT)

    searching = guard(search, Dialect.DALI)
    one_table = f"/{PATH}/{{table:path}}"
    return [
        Route(f"/{PATH}", searching, methods=["GET", "POST"]),
        *vosi.routes(services, "", capabilities),
        *vosi.routes(services, f"/{PATH}", capabilities),
        Route("/tables", guard(partial(vosi.show_catalogue, services, searched), Dialect.TEXT), methods=["GET"]),
        Route(f"{one_table}/{PATH}", searching, methods=["GET", "POST"]),
        *vosi.routes_of_tables(services, one_table, partial(find_described, services), of_table),
    ]


def searched(catalogue: Catalogue) -> Catalogue:
    """The tables that this service searches, every column with a description (§6.1)."""
    return catalogue.only(tuple(map(_described, filter(cones.is_searchable, catalogue.tables))))


def find_described(services: Services, name: str) -> Table:
    """A table of this name that cone searches serve, every column with a description. NotFoundError."""
    return _described(cones.find_table(services, name))


def perform(services: Services, fixed: str | None, params: Params) -> Answer:
    """The answer, not yet started; `fixed` names the table of a service that has just one."""
    table = _table(services, fixed, _value(params, "TABLE"))
    settings = services.settings
    asked = Request.from_params(params, table, settings)
    shown = asked.outputs()
    statement = statement_of(services, asked, shown, params.upload)
    itself = describe(settings, table)
    described_by = outputs.columns_of(shown)
    address = params.address(f"{services.settings.base_url}/{PATH}")
    return services.answer(
        statement,
        asked,
        Asked(STANDARD_ID, table.resource or PATH, address),
        columns=described_by,
        description=table.title,
        descriptors=(itself,),
    )


def statement_of(services: Services, asked: Request, shown: Sequence[Output], parts: Parts) -> Statement:
    """The SQL of a search, with the uploaded cones if that is how its places are given."""
    catalogue, rows = services.catalogue(), asked.maxrec + 1
    if isinstance(asked.centre, Upload):
        (uploaded,) = services.uploads.read((asked.centre,), parts)
        query = in_cones(asked, shown, uploaded)
        statement = translate(adql.resolve(query, catalogue.with_tables((uploaded.table,))), max_rows=rows)
        return with_uploads(statement, (uploaded,))
    where = build.every([_lies(asked.table, asked.centre), *asked.conditions])
    order = cones.NEAREST_FIRST if isinstance(asked.centre, Cone) else ()
    return cones.statement_of(asked.table, shown, where, order, catalogue, rows)


def in_cones(asked: Request, shown: Sequence[Output], uploaded: UploadedTable) -> tree.Query:
    """The rows that lie in one of the uploaded cones, each once (§4.1.7)."""
    names = {column.name.upper(): column.name for column in uploaded.table.columns}
    missing = [name for name in CONE if name not in names]
    if missing:
        raise UsageError(
            f"UPLOAD: the table has no column {missing[0]}.", hint="It has the columns RA, DEC and SR, in degrees.", parameter="UPLOAD"
        )
    ra, dec, radius = (build.column(CONES, names[name]) for name in CONE)
    place, own = cones.position_of(asked.table), (asked.table.schema, asked.table.name)
    point = build.call("POINT", build.column(*own, place.ra), build.column(*own, place.dec))
    inside = build.compare(build.call("CONTAINS", point, build.call("CIRCLE", ra, dec, radius)), "=", 1)
    source = tree.TableName(0, (build.name(uploaded.table.schema), build.name(uploaded.table.name)), build.name(CONES))
    cone = tree.Query(0, tree.Select(0, (tree.Item(0, ra),), (source,), inside))
    where = build.every([tree.Exists(0, cone), *asked.conditions])
    return outputs.select(shown, own, where)


def describe(settings: Settings, table: Table) -> ServiceDescriptor:
    """The search of one table as its own answers describe it (DALI 1.2 §5.1; DataLink 1.1 §4)."""
    free = free_parameters(table).items()
    return ServiceDescriptor(
        id="this",
        name="this",
        access_url=f"{settings.base_url}/{PATH}/{quote(table.full_name)}/{PATH}",
        standard_id=STANDARD_ID,
        params=(
            *(ServiceParam(one.name, unit=one.unit, ucd=one.ucd, description=one.description) for one in COMMON),
            *(_interval_param(name, column) for name, column in free),
        ),
        description=f"This search of {table.full_name}",
    )


def capability(settings: Settings, catalogue: Catalogue, resources: Sequence[Resource]) -> ServiceCapabilities:
    """The search of all tables, and the VOSI endpoints beside it (§6)."""
    tables = searched(catalogue).tables
    first = tables[0] if tables else None
    test = cones.test_query(first, resources) if first else None
    names = ", ".join(table.full_name for table in tables)
    table = replace(TABLE, description=f"{TABLE.description}: {names}" if names else TABLE.description)
    query = _capability(settings, f"{settings.base_url}/{PATH}", (table, *COMMON), test, first.full_name if first else None)
    return ServiceCapabilities(PATH, (query, *_beside(settings.base_url)))


def table_capability(settings: Settings, table: Table, resources: Sequence[Resource]) -> ServiceCapabilities:
    """The search of one table, which declares the table's columns as parameters, and the VOSI endpoints beside it."""
    base = f"{settings.base_url}/{PATH}/{quote(table.full_name)}"
    free = (_declared(name, column) for name, column in free_parameters(table).items())
    params = (replace(TABLE, use="optional", description=f"{TABLE.description}: {table.full_name}"), *COMMON, *free)
    query = _capability(settings, f"{base}/{PATH}", params, cones.test_query(table, resources), None, cones.is_verbose(table))
    return ServiceCapabilities(f"{PATH}/{table.full_name}", (query, *_beside(base)))


def _capability(
    settings: Settings,
    url: str,
    params: tuple[InputParam, ...],
    test: tuple[float, float, float] | None,
    test_table: str | None,
    verbosity: bool = True,
) -> ConeSearch:
    query = None if test is None else "RA={}&DEC={}&SR={}".format(*test) + (f"&TABLE={quote(test_table)}" if test_table else "")
    return ConeSearch(
        standard_id=STANDARD_ID,
        interfaces=(Interface(url, result_type="application/x-votable+xml", params=params, test_query=query),),
        description="Search by position, region or many positions, narrowed by columns, by the draft of SCS2.",
        max_sr=cones.MAX_SR,
        max_records=settings.hard_maxrec,
        verbosity=verbosity,
        test_query=test,
        test_table=test_table,
    )


def _beside(base: str) -> tuple[Capability, ...]:
    tables = Capability(
        standard_id=TABLES_ID, interfaces=(Interface(f"{base}/tables", use="full"),), description="The tables that are searched."
    )
    return (*vosi_capabilities(base), tables)


def _declared(name: str, column: Column) -> InputParam:
    """A free parameter for the registry (§4.2, §6.1)."""
    kind = "string" if column.is_timestamp else "real"
    arraysize = None if column.is_timestamp else "2"
    return InputParam(name, kind, _meaning(column), column.unit, column.ucd, arraysize, std=False)


def _interval_param(name: str, column: Column) -> ServiceParam:
    if column.is_timestamp:
        return ServiceParam(name, ucd=column.ucd, description=_meaning(column))
    return ServiceParam(name, "double", "2", unit=column.unit, ucd=column.ucd, xtype="interval", description=_meaning(column))


def _meaning(column: Column) -> str:
    return f"{column.description or column.name}: one value, or two for an interval"


def _described(table: Table) -> Table:
    return replace(table, columns=tuple(map(described, table.columns)))


def _table(services: Services, fixed: str | None, name: str | None) -> Table:
    """The table to search. UsageError: a name in TABLE that is not known is a wrong parameter (§4.3)."""
    if fixed is not None:
        table = cones.find_table(services, fixed)
        if name is not None and name.replace('"', "").lower() != table.full_name.lower():
            raise UsageError(f"TABLE: this is the search of {table.full_name}, not of {name}.", parameter="TABLE")
        return table
    if name is None:
        tables = searched(services.catalogue()).tables
        if len(tables) == 1:
            return tables[0]
        raise UsageError("The parameter TABLE is missing.", hint="/tables lists the tables.", parameter="TABLE")
    try:
        return cones.find_table(services, name.replace('"', ""))
    except NotFoundError as error:
        raise UsageError(f"TABLE: {error.message}", hint="/tables lists the tables.", parameter="TABLE") from None


def _centre(params: Params) -> Centre:
    """Where to search: exactly one of the three ways (§4.3)."""
    given = [names for names in CENTRES if any(_value(params, name) is not None for name in names)]
    if len(given) != 1:
        found = " and ".join(", ".join(names) for names in given) or "none of them"
        raise UsageError(f"A search has either RA, DEC and SR, or POS, or UPLOAD; this one has {found}.", parameter="POS")
    if given[0] == CONE:
        ra, dec, radius = (_number(params, name) for name in CONE)
        if not -90 <= dec <= 90:
            raise UsageError(f"DEC={dec:g} is not between -90 and 90 degrees.", parameter="DEC")
        if not 0 <= radius <= cones.MAX_SR:
            raise UsageError(f"SR={radius:g} is not between 0 and 180 degrees.", parameter="SR")
        return Cone(ra % 360.0, dec, radius)
    if given[0] == ("POS",):
        return parse_shape(_value(params, "POS") or "", "POS")
    uploads = parse_uploads([_value(params, "UPLOAD") or ""])
    if len(uploads) != 1:
        raise UsageError("UPLOAD: one table is searched with.", parameter="UPLOAD")
    return uploads[0]


def _lies(table: Table, centre: Cone | Shape) -> tree.Condition:
    """Whether a row lies in a cone or region."""
    if isinstance(centre, Cone | Circle):
        return cones.is_near(table, centre.ra, centre.dec, centre.radius)
    place = cones.position_of(table)
    point = build.call("POINT", build.column(place.ra), build.column(place.dec))
    outlines = centre.outlines() if isinstance(centre, Range) else (centre.vertices,)
    return tree.Logical(0, "OR", tuple(build.contains(build.polygon(chain.from_iterable(outline)), point) for outline in outlines))


def _number(params: Params, name: str) -> float:
    text = _value(params, name)
    if text is None or not text.strip():
        raise UsageError(f"The parameter {name} is missing.", hint="A cone has RA, DEC and SR, in degrees.", parameter=name)
    return parse_number(text.strip(), name)


def _value(params: Params, name: str) -> str | None:
    """The value of a parameter of exactly this spelling."""
    return next((value for key, value in params.pairs if key == name), None)


def _refuse_others(params: Params, known: set[str]) -> None:
    """UsageError for parameters that are not known, and for those that stand twice (§4.3). Parts of the form are tables, not parameters."""
    uploads = _value(params, "UPLOAD")
    parts = {upload.part for upload in parse_uploads([uploads])} if uploads else set()
    counted = Counter(name for name, _ in params.pairs)
    for name, count in counted.items():
        if name not in known and name not in parts:
            close = name.upper() if name.upper() in PROTOCOL else name.lower() if name.lower() in known else None
            hint = f"Did you mean {close}? Names have case here." if close else "The capabilities list all parameters."
            raise UsageError(f"The parameter {name} is not known here.", hint=hint, parameter=name)
        if count > 1:
            raise UsageError(f"The parameter {name} was given {count} times; it takes one value.", parameter=name)

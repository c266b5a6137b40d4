"""What Simple Cone Search 1.03 and SCS2 share: a table's rows around a position, three of its columns in the words of the protocol."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from vo_server import adql
from vo_server.adql import build, tree
from vo_server.errors import NotFoundError, UsageError
from vo_server.model.capability import InputParam
from vo_server.model.catalogue import Catalogue, Position, Table
from vo_server.model.columns import Column
from vo_server.model.resource import Resource
from vo_server.model.result import Statement
from vo_server.protocols import outputs
from vo_server.protocols.outputs import Output
from vo_server.services import Services
from vo_server.sql import translate

MAX_SR = 180.0
SAMPLE_SR = 0.1
"""Radius (degrees) of the test query around a row that is known to be there."""

IDENTIFIES = {"meta.id", "meta.main"}
SEPARATION = Column("_r", "double", unit="deg", ucd="pos.angDistance", description="Distance from the position searched")
PLACE = Column("_id", "char", "*", description="Identifier made of the position, as the table has none; those at one position are counted")


@dataclass(frozen=True, slots=True)
class Words:
    """The UCDs that one column each has, and what others become that carry them. ``exact``: positions are doubles."""

    identifier: str
    ra: str
    dec: str
    others: dict[str, str]
    exact: bool

    def demoted(self, ucd: str | None) -> str | None:
        """The UCD of a column that has none of the three roles."""
        return self.others.get((ucd or "").lower(), ucd)

    @property
    def roles(self) -> tuple[str, str, str]:
        """All three."""
        return self.identifier, self.ra, self.dec


UCD1 = Words(
    "ID_MAIN",
    "POS_EQ_RA_MAIN",
    "POS_EQ_DEC_MAIN",
    {"id_main": "meta.id", "pos_eq_ra_main": "pos.eq.ra", "pos_eq_dec_main": "pos.eq.dec"},
    exact=True,
)
"""What clients of 1.03 look for (§2.2.1)."""

UCD1_PLUS = Words(
    "meta.id;meta.main",
    "pos.eq.ra;meta.main",
    "pos.eq.dec;meta.main",
    {"meta.id;meta.main": "meta.id", "pos.eq.ra;meta.main": "pos.eq.ra", "pos.eq.dec;meta.main": "pos.eq.dec"} | UCD1.others,
    exact=False,
)
"""SCS2 §5."""

RA = InputParam("RA", "real", "Right ascension of the centre, ICRS", "deg", "pos.eq.ra", use="required")
DEC = InputParam("DEC", "real", "Declination of the centre, ICRS", "deg", "pos.eq.dec", use="required")
SR = InputParam("SR", "real", "Radius of the cone", "deg", "pos.angDistance", use="required")
VERB = InputParam("VERB", "integer", "Which columns: 1 identifier and position, 2 the principal ones (default), 3 all")
MAXREC = InputParam("MAXREC", "integer", "Most rows to send; 0 for the metadata alone")
RESPONSEFORMAT = InputParam("RESPONSEFORMAT", "string", "Format of the answer; VOTable if absent", ucd="meta.code.mime")


def is_searchable(table: Table) -> bool:
    """Whether a table is a catalogue that cone searches serve: it has positions, and somebody published it.

    ``ivoa.obscore`` has positions too, but its rows are regions, which SIA, SSAP and TAP find.
    """
    return table.position is not None and table.resource is not None


def find_table(services: Services, name: str) -> Table:
    """The table of this name; one that is not known is looked for once more in what was published this very moment. NotFoundError."""
    table = services.catalogue().table(name)
    if table is None and services.refresh():
        table = services.catalogue().table(name)
    if table is None:
        raise NotFoundError(f"There is no table {name}.", hint="See /tap/tables for all tables.")
    if table.position is None:
        raise NotFoundError(f"The table {table.full_name} has no positions to search.", hint="Query it by TAP.")
    if not is_searchable(table):
        raise NotFoundError(f"The rows of {table.full_name} are datasets, not objects.", hint="Search them by SIA, SSAP or TAP.")
    return table


def position_of(table: Table) -> Position:
    """The columns that say where a row lies."""
    if table.position is None:
        raise ValueError(f"{table.full_name} has no positions")
    return table.position


def outputs_of(table: Table, verbosity: int, words: Words = UCD1) -> tuple[Output, ...]:
    """What an answer has of a table, without the distance. Three columns carry the UCDs of `words`.

    VERB=2 gives the columns marked as principal, or all if nothing but identifier and position is marked.
    """
    position, identifier = position_of(table), _identifier(table)
    roles = {position.ra: words.ra, position.dec: words.dec} | ({identifier.name: words.identifier} if identifier else {})
    whole = tuple(_output(column, roles.get(column.name), words) for column in table.columns)
    if identifier is None:
        whole = (_place(table, words), *whole)
    required = tuple(output for output in whole if output.column.ucd in words.roles)
    principal = tuple(output for output in whole if output.column.ucd in words.roles or output.column.principal)
    if verbosity == 1:
        return required
    return principal if verbosity == 2 and len(principal) > len(required) else whole


def separation(table: Table, ra: float, dec: float) -> Output:
    """The distance of a row from a position."""
    position = position_of(table)
    point = build.call("POINT", build.column(position.ra), build.column(position.dec))
    column = replace(SEPARATION, name=_free_name(SEPARATION, table))
    return Output(column, build.call("DISTANCE", point, build.call("POINT", ra, dec)))


def is_near(table: Table, ra: float, dec: float, radius: float) -> tree.Condition:
    """Whether a row lies in a cone."""
    position = position_of(table)
    return build.within(build.column(position.ra), build.column(position.dec), ra, dec, radius)


NEAREST_FIRST = (tree.OrderKey(0, tree.Number(0, 1)),)
"""Order by the first column, which is the distance."""


def statement_of(
    table: Table,
    shown: Sequence[Output],
    where: tree.Condition | None,
    order: Sequence[tree.OrderKey],
    catalogue: Catalogue,
    max_rows: int,
) -> Statement:
    """The SQL of a search of `table`."""
    return translate(adql.resolve(outputs.select(shown, (table.schema, table.name), where, order), catalogue), max_rows=max_rows)


def verbosity_of(text: str | None) -> int:
    """VERB; UsageError if it is not 1, 2 or 3."""
    word = (text or "2").strip()
    if word not in ("1", "2", "3"):
        raise UsageError(f"VERB={word!r} is not 1, 2 or 3.", parameter="VERB")
    return int(word)


def is_verbose(table: Table) -> bool:
    """Whether VERB changes what comes back."""
    return len(outputs_of(table, 1)) < len(outputs_of(table, 3))


def test_query(table: Table, resources: Sequence[Resource]) -> tuple[float, float, float] | None:
    """A cone with a row in it: around the resource's sample if that is a row of this table alone, else the whole sky. None: the table
    is empty.
    """
    if table.nrows == 0:
        return None
    resource = next((resource for resource in resources if resource.id == table.resource), None)
    if resource is None or resource.sample is None:
        return (0.0, 0.0, MAX_SR)
    return (*resource.sample, SAMPLE_SR if len(resource.tables) == 1 else MAX_SR)


def _identifier(table: Table) -> Column | None:
    """The column that identifies a row: publishing marks one only if its values do."""
    marked = (column for column in table.columns if set((column.ucd or "").lower().split(";")) == IDENTIFIES and not column.is_array)
    return next(marked, None)


def _output(column: Column, role: str | None, words: Words) -> Output:
    """A column of the table; `role` is the UCD that the protocol requires of it, which fixes its type too."""
    value: tree.Value = build.column(column.name)
    if role is None:
        return Output(replace(column, ucd=words.demoted(column.ucd)), value)
    if role == words.identifier:
        typed = column if column.is_text else replace(column, datatype="char", arraysize="*")
    else:
        typed = replace(column, datatype="float" if column.datatype == "float" and not words.exact else "double", unit="deg")
    if typed.datatype != column.datatype:
        value = build.cast(value, "VARCHAR" if role == words.identifier else "DOUBLE PRECISION")
    return Output(replace(typed, ucd=role), value)


def _place(table: Table, words: Words) -> Output:
    """An identifier for tables without one: "ra dec" for the first row there, "ra dec #2" for the second …"""
    position = position_of(table)
    ra, dec = build.column(position.ra), build.column(position.dec)
    place = build.calculate(build.cast(ra, "VARCHAR"), ("||", " "), ("||", build.cast(dec, "VARCHAR")))
    order = tuple(tree.OrderKey(0, build.column(column.name)) for column in table.columns if not column.is_array)
    number = tree.Over(0, tree.Call(0, "ROW_NUMBER", ()), (ra, dec), order)
    counted = build.calculate(place, ("||", " #"), ("||", build.cast(number, "VARCHAR")))
    value = tree.Case(0, None, ((build.compare(number, "=", 1), place),), counted)
    return Output(replace(PLACE, name=_free_name(PLACE, table), ucd=words.identifier), value)


def _free_name(column: Column, table: Table) -> str:
    """The name of an additional column, with underscores in front as long as the table has one of this name."""
    name = column.name
    while table.column(name) is not None:
        name = f"_{name}"
    return name

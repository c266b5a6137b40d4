"""How to use the server from programs: text to copy that works as it stands, with this server's own addresses and tables."""

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from vo_server.model.catalogue import Catalogue, Table
from vo_server.model.resource import Resource
from vo_server.query.examples import RADIUS_DEG, rows_of
from vo_server.web import addresses


@dataclass(frozen=True, slots=True)
class Example:
    """What the snippets ask for: some rows of `table`, and a cone around `sample` (ICRS degrees) where the table has positions."""

    table: Table
    sample: tuple[float, float] | None = None

    @property
    def adql(self) -> str:
        """A query that finds something: the table's principal columns around the sample, else its first rows."""
        return rows_of(self.table, self.sample, 5)


def example(catalogue: Catalogue, resources: Sequence[Resource]) -> Example | None:
    """The table to show with: the first that has positions and a sample, else the first of a resource, else the first of all."""
    own = [(table, resource.sample) for resource in resources for name in resource.tables if (table := catalogue.table(name))]
    with_sample = [(table, sample) for table, sample in own if table.position and sample]
    rest = [(table, None) for table in catalogue.tables]
    found = next(iter([*with_sample, *own, *rest]), None)
    return Example(*found) if found else None


def pyvo(base_url: str, shown: Example) -> str:
    """A script for Python with pyvo."""
    lines = [
        "import pyvo",
        "",
        f"tap = pyvo.dal.TAPService({base_url + '/tap'!r})",
        f"print(tap.search({_python_text(shown.adql)}).to_table())",
    ]
    if shown.sample is not None and shown.table.position is not None:
        lines += [
            "",
            f"cone = pyvo.dal.SCSService({base_url + addresses.cone(shown.table)!r})",
            f"print(cone.search(pos={shown.sample!r}, radius={RADIUS_DEG}).to_table())",
        ]
    return "\n".join(lines)


def stilts(base_url: str, shown: Example) -> str:
    """Commands for STILTS, in a POSIX shell."""
    lines = [f"stilts tapquery tapurl={shlex.quote(base_url + '/tap')} \\", f"  adql={shlex.quote(shown.adql)} sync=true ofmt=ascii"]
    if shown.sample is not None and shown.table.position is not None:
        ra, dec = shown.sample
        where = f"lon={ra} lat={dec} radius={RADIUS_DEG}"
        lines += ["", f"stilts cone serviceurl={shlex.quote(base_url + addresses.cone(shown.table))} \\", f"  {where} ofmt=ascii"]
    return "\n".join(lines)


def curl(base_url: str, shown: Example) -> str:
    """A command for curl, in a POSIX shell."""
    return "\n".join(
        [
            f"curl -sG {shlex.quote(base_url + '/tap/sync')} -d LANG=ADQL -d RESPONSEFORMAT=csv \\",
            f"  --data-urlencode {shlex.quote('QUERY=' + shown.adql)}",
        ]
    )


WRITERS: tuple[tuple[str, Callable[[str, Example], str]], ...] = (("pyvo (Python)", pyvo), ("STILTS", stilts), ("curl", curl))


def write_all(base_url: str, shown: Example) -> tuple[tuple[str, str], ...]:
    """Each program's name and what to type."""
    return tuple((name, write(base_url, shown)) for name, write in WRITERS)


def _python_text(adql: str) -> str:
    """`adql` as a Python literal, over two lines where one would not fit on a screen."""
    head, where, condition = adql.partition(" WHERE ")
    return f"\n    {head + ' '!r}\n    {where[1:] + condition!r}\n" if where else repr(adql)

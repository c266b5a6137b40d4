"""What a file does not say but its names, UCDs and units suggest; each guess comes with its reason."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from math import inf, pi

import pyarrow
import pyarrow.compute as pc

from vo_server.errors import DataError
from vo_server.model.columns import CELL, NUMBERS, Column

RA, DEC = "pos.eq.ra", "pos.eq.dec"
MAIN = "meta.main"
ID = "meta.id"

POSITION_NAMES = (
    ("ra", "dec"),
    ("ra", "de"),
    ("raj2000", "dej2000"),
    ("raj2000", "decj2000"),
    ("_raj2000", "_dej2000"),
    ("ra_j2000", "dec_j2000"),
    ("ra2000", "dec2000"),
    ("ra_icrs", "de_icrs"),
    ("ra_icrs", "dec_icrs"),
    ("ra_deg", "dec_deg"),
    ("radeg", "decdeg"),
    ("radeg", "dedeg"),
    ("s_ra", "s_dec"),
    ("ra_mean", "dec_mean"),
    ("ramean", "decmean"),
    ("alpha_j2000", "delta_j2000"),
    ("alphaj2000", "deltaj2000"),
    ("alpha", "delta"),
    ("right_ascension", "declination"),
    ("rightascension", "declination"),
)
"""Names of right ascension and declination in catalogues, in lower case, the plainest first."""

OLD_EQUINOX = re.compile(r"1950|1900|1875|fk4", re.IGNORECASE)

ID_NAMES = (
    r"(source|object|obj|star|event|cat|catalog|obs|grb|gw|alert|grace)_?(name|id)",
    r"name|id|designation|ivorn|identifier|objname|main_id",
    r".*_name|.*_id|.*id",
)
"""Names of columns that identify a row, the most telling first."""

SYSTEM_COLUMNS = ("ctid", "xmin", "cmin", "xmax", "cmax", "tableoid", CELL)
"""Names that a table in PostgreSQL has already; they cannot be given again, not even in quotes."""

LONGEST_NAME = 63
"""Bytes of a name in PostgreSQL."""


@dataclass(frozen=True, slots=True)
class Pair:
    """The columns of right ascension and declination, and why these. ``sure``: the file says so; else the values must be looked at."""

    ra: str
    dec: str
    reason: str
    sure: bool = True


def fold(name: str) -> str:
    """A regular identifier in lower case from any name: ``gll_psc_v35_4FGL-DR4`` → ``gll_psc_v35_4fgl_dr4``."""
    folded = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    return (folded if folded[:1].isalpha() else f"t_{folded}").rstrip("_")[:48]


def safe_names(columns: Sequence[Column]) -> tuple[list[Column], list[str]]:
    """Columns whose names PostgreSQL can store and ADQL, which does not regard case, can tell apart; and a note on each change."""
    given = {column.name.lower() for column in columns}
    taken: set[str] = set()
    safe: list[Column] = []
    notes: list[str] = []
    for column in columns:
        name = _safe_name(column.name, taken, given)
        if name != column.name:
            twin = column.name.lower() in taken
            reason = "another differs from it by case only" if twin else "PostgreSQL cannot store the name in the file"
            notes.append(f"column {column.name} is called {name}: {reason}")
        taken.add(name.lower())
        safe.append(replace(column, name=name))
    return safe, notes


def _safe_name(name: str, taken: set[str], given: set[str]) -> str:
    candidate = f"{name}_" if name in SYSTEM_COLUMNS else name.encode()[:LONGEST_NAME].decode(errors="ignore")
    number = 1
    while candidate.lower() in taken or (candidate != name and candidate.lower() in given):
        number += 1
        ending = f"_{number}"
        candidate = name.encode()[: LONGEST_NAME - len(ending)].decode(errors="ignore") + ending
    return candidate


def given_position(columns: Sequence[Column], ra: str, dec: str, source: str) -> Pair:
    """The pair that the operator names; DataError if there is no such column or it holds no degrees."""
    names = []
    for wanted in (ra, dec):
        exact = [column for column in columns if column.name == wanted] or [
            column for column in columns if column.name.lower() == wanted.lower()
        ]
        if not exact:
            raise DataError(
                f"there is no column {wanted!r}.", source=source, hint=f"Columns are: {', '.join(column.name for column in columns)}."
            )
        fault = unfit(exact[0])
        if fault:
            raise DataError(
                f"{fault}.",
                source=source,
                column=exact[0].name,
                hint="Positions are ICRS degrees, as numbers: convert them before publishing.",
            )
        names.append(exact[0].name)
    return Pair(names[0], names[1], "as you say")


def unfit(column: Column) -> str | None:
    """Why a column cannot hold positions, if so."""
    if column.datatype not in NUMBERS or column.is_array:
        return "is not a number" if column.is_text else "is not one number a row"
    if column.unit not in (None, "deg"):
        return f"is in {column.unit}, not in degrees"
    return None


def find_position(columns: Sequence[Column], in_range: Callable[[str, str], bool]) -> tuple[Pair | None, list[str]]:
    """The pair of columns that says where a row lies, if there is one, and notes on the choice.

    `in_range` looks at the values of two columns: whether they can be degrees; asked only where no unit says so.
    """
    notes: list[str] = []
    pairs: dict[tuple[str, str], Pair] = {}
    for pair in (*_by_ucd(columns), *_by_name(columns)):
        pairs.setdefault((pair.ra, pair.dec), pair)
    for pair in pairs.values():
        found = [column for name in (pair.ra, pair.dec) for column in columns if column.name == name]
        faults = [f"{column.name} {fault}" for column in found if (fault := unfit(column))]
        if faults:
            notes.append(f"{' and '.join(faults)}: not used as the position ({pair.reason})")
        elif all(column.unit for column in found) or in_range(pair.ra, pair.dec):
            assumed = "" if all(column.unit for column in found) else ", taken to be degrees"
            return pair, [f"{pair.ra} and {pair.dec} are taken as right ascension and declination: {pair.reason}{assumed}"]
        else:
            notes.append(f"{pair.ra} and {pair.dec} hold values that are no degrees (radians?): not used as the position ({pair.reason})")
    return None, [*notes, "no position was found, so there is no cone search (--ra and --dec name the columns)"]


def plausible(batches: Iterable[tuple[pyarrow.Array, pyarrow.Array]]) -> bool:
    """Whether pairs of columns can be right ascension and declination in degrees, and at least one row has both.

    Values all over the sky, were they radians, and nowhere beyond, are radians: in degrees they would be one small place near 0, 0.
    """
    seen = False
    bounds = [(inf, -inf), (inf, -inf)]
    for pair in batches:
        for place, (values, low, high) in enumerate(zip(pair, (0, -90), (360, 90), strict=True)):
            found = pc.min_max(values)
            if found["min"].is_valid:
                bounds[place] = min(bounds[place][0], found["min"].as_py()), max(bounds[place][1], found["max"].as_py())
                if not (bounds[place][0] >= low and bounds[place][1] <= high):
                    return False
        seen = seen or bool(pc.any(pc.and_(pair[0].is_valid(), pair[1].is_valid())).as_py())
    return seen and not _are_radians(*bounds)


def _are_radians(ra: tuple[float, float], dec: tuple[float, float]) -> bool:
    """Whether these bounds are those of positions over much of the sky in radians."""
    return pi < ra[1] <= 2 * pi and ra[1] - ra[0] > pi and 1 < max(-dec[0], dec[1]) <= pi / 2 and dec[1] - dec[0] > 1


def _by_ucd(columns: Sequence[Column]) -> list[Pair]:
    pairs = []
    for needed in ({MAIN}, set[str]()):
        ras, decs = ([column.name for column in columns if _is_coordinate(column, word, needed)] for word in (RA, DEC))
        if ras and decs:
            pairs.append(Pair(ras[0], decs[0], f"UCD {';'.join([RA, *needed])}"))
    return pairs


def _is_coordinate(column: Column, word: str, needed: set[str]) -> bool:
    words = [part.strip().lower() for part in (column.ucd or "").split(";")]
    return words[0] == word and set(words[1:]) == needed and not OLD_EQUINOX.search(column.name)


def _by_name(columns: Sequence[Column]) -> list[Pair]:
    spelled = {column.name.lower(): column.name for column in reversed(columns)}
    return [
        Pair(spelled[ra], spelled[dec], "their names", sure=False)
        for ra, dec in POSITION_NAMES
        if ra in spelled
        and dec in spelled
        and all(_may_be_position(column) for column in columns if column.name in (spelled[ra], spelled[dec]))
    ]


def _may_be_position(column: Column) -> bool:
    """Whether no UCD says that the column is something else."""
    return column.ucd is None or column.ucd.lower().startswith(("pos.eq", "pos"))


def with_position(columns: Sequence[Column], pair: Pair) -> tuple[list[Column], list[str]]:
    """The columns with the UCDs that say which pair is the main one (SCS 1.03 §2: exactly one of each), and notes on what changed."""
    notes: list[str] = []
    marked: list[Column] = []
    for column in columns:
        ucd, unit = column.ucd, column.unit
        if column.name in (pair.ra, pair.dec):
            ucd = f"{RA if column.name == pair.ra else DEC};{MAIN}"
            unit = "deg"
        elif ucd is not None and ucd.lower() in (f"{RA};{MAIN}", f"{DEC};{MAIN}"):
            ucd = ucd[: -len(MAIN) - 1]
        if column.ucd and ucd != column.ucd:
            notes.append(f"{column.name}: the UCD is now {ucd}, not {column.ucd}")
        chosen = column.name in (pair.ra, pair.dec)
        marked.append(replace(column, ucd=ucd, unit=unit, indexed=column.indexed or chosen, principal=column.principal or chosen))
    return marked, notes


def declared_id(columns: Sequence[Column]) -> str | None:
    """The column that the file says identifies a row."""
    return next((column.name for column in columns if _words(column) == {ID, MAIN} and not column.is_array), None)


def id_candidates(columns: Sequence[Column]) -> list[str]:
    """Columns whose names suggest that they identify a row, the most telling first; whether they do, only their values tell."""
    fit = [column for column in columns if _may_identify(column)]
    named = [column.name for pattern in ID_NAMES for column in fit if re.fullmatch(pattern, column.name.lower())]
    by_ucd = [column.name for column in fit if column.ucd and _words(column) == {ID}]
    return list(dict.fromkeys([*by_ucd, *named]))[:4]


def _may_identify(column: Column) -> bool:
    kind = column.is_text or (column.datatype in ("int", "long", "short") and not column.is_array)
    return kind and (column.ucd is None or _words(column) == {ID})


def _words(column: Column) -> set[str]:
    return {part.strip().lower() for part in (column.ucd or "").split(";")}


def with_id(columns: Sequence[Column], name: str) -> list[Column]:
    """The columns with the one called `name` marked as what identifies a row."""
    return [replace(column, ucd=f"{ID};{MAIN}", indexed=True, principal=True) if column.name == name else column for column in columns]


def time_columns(columns: Sequence[Column]) -> list[Column]:
    """Columns of instants in days: their UCD and unit say so, or the name is MJD."""
    return [column for column in columns if column.datatype in NUMBERS and not column.is_array and _is_time(column)]


def _is_time(column: Column) -> bool:
    said = column.unit == "d" and (column.ucd or "").lower().split(";")[0] in ("time.epoch", "time.start", "time.end", "time.event")
    return said or (column.unit in (None, "d") and re.fullmatch(r"(.*[_ ])?mjd([_ ].*)?|eventmjd", column.name.lower()) is not None)

"""A table whose content is known, and questions about it whose answers are known too, to the last row."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from random import Random

import numpy as np
from astropy.io.votable import parse
from astropy.table import Table

TABLE = "data.events"
ROWS = 20_000
UPLOADED = 500

Rows = Mapping[str, np.ndarray]


@dataclass(frozen=True, slots=True)
class Question:
    """An ADQL text, the format of its answer, a table that comes with it, and the rows, in the order of the first columns."""

    adql: str
    form: str
    upload: bytes | None
    rows: Rows

    @property
    def params(self) -> dict[str, str]:
        """As TAP takes it."""
        said = {"LANG": "ADQL", "QUERY": self.adql, "RESPONSEFORMAT": self.form, "MAXREC": "1000000"}
        return said if self.upload is None else {**said, "UPLOAD": "mine,param:part"}

    @property
    def files(self) -> dict[str, tuple[str, bytes]] | None:
        """The parts of the form."""
        return None if self.upload is None else {"part": ("mine.csv", self.upload)}

    def fault(self, body: bytes) -> str | None:
        """What is wrong with an answer that calls itself whole; None if it is the truth."""
        try:
            found = READERS[self.form](body)
        except Exception as error:
            return f"{self.form} of {len(body)} bytes cannot be read: {error!r}"
        if found.colnames != list(self.rows):
            return f"columns {found.colnames}"
        order = np.lexsort([np.asarray(found[name]) for name in reversed(found.colnames)])
        for name, expected in self.rows.items():
            values = np.asarray(found[name])[order]
            if len(values) != len(expected):
                return f"{len(values)} rows instead of {len(expected)}"
            if not np.array_equal(values, expected):
                return f"other values in {name}"
        return None


def read_votable(body: bytes) -> Table:
    """The rows; ValueError unless the document ends as one does that is whole (DALI 1.1 §4.4.1)."""
    document = parse(BytesIO(body), verify="exception")
    statuses = [info.value for info in document.resources[0].infos if info.name == "QUERY_STATUS"]
    if statuses != ["OK"]:
        raise ValueError(f"QUERY_STATUS {statuses}")
    return document.get_first_table().to_table()


READERS: dict[str, Callable[[bytes], Table]] = {
    "votable": read_votable,
    "votable/td": read_votable,
    "fits": lambda body: Table.read(BytesIO(body), format="fits"),
    "csv": lambda body: Table.read(BytesIO(body), format="ascii.csv", fast_reader={"exponent_style": "e"}),
}


def says_failure(body: bytes) -> bool:
    """Whether a VOTable tells at its end that it is not whole (DALI 1.1 §4.4.1)."""
    return b'name="QUERY_STATUS" value="ERROR"' in body[-2000:]


class Truth:
    """The table, and questions about it."""

    def __init__(self) -> None:
        number = np.arange(ROWS)
        self.number = number
        self.energy = (number * 7919 % 10007).astype(np.int64)
        self.ra, self.dec = number * 0.017 % 360, number * 0.007 % 120 - 60

    def write(self, path: Path) -> None:
        """The table as a FITS file."""
        Table({"number": self.number, "energy": self.energy, "ra": self.ra, "dec": self.dec}).write(path)

    def ask(self, dice: Random) -> Question:
        """Any question."""
        kind = dice.choice((self._some, self._pairs, self._count, self._upload))
        return kind(dice, dice.choice(list(READERS)))

    def _some(self, dice: Random, form: str) -> Question:
        most = dice.randrange(ROWS)
        adql = f"SELECT number, energy FROM {TABLE} WHERE number < {most}"
        return Question(adql, form, None, {"number": self.number[:most], "energy": self.energy[:most]})

    def _pairs(self, dice: Random, form: str) -> Question:
        """Many rows: they take a while, and a slow reader's go to the spool."""
        few = dice.randrange(2, 12)
        adql = f"SELECT a.number, b.number AS other FROM {TABLE} AS a CROSS JOIN {TABLE} AS b WHERE b.number < {few}"
        return Question(adql, form, None, {"number": np.repeat(self.number, few), "other": np.tile(self.number[:few], ROWS)})

    def _count(self, dice: Random, form: str) -> Question:
        """One row, behind a second or more of work."""
        few, modulus = dice.randrange(100, 400), dice.randrange(3, 50)
        pairs = f"{TABLE} AS a CROSS JOIN {TABLE} AS b"
        adql = f"SELECT COUNT(*) AS n FROM {pairs} WHERE b.number < {few} AND MOD(a.energy + b.number, {modulus}) = 0"
        remainders = np.bincount(self.energy % modulus, minlength=modulus)
        n = sum(int(remainders[-other % modulus]) for other in range(few))
        return Question(adql, form, None, {"n": np.array([n])})

    def _upload(self, dice: Random, form: str) -> Question:
        """A temporary table."""
        wanted = np.array(sorted(dice.sample(range(ROWS), UPLOADED)))
        adql = f"SELECT e.number, e.energy, m.label FROM {TABLE} AS e JOIN TAP_UPLOAD.mine AS m ON m.number = e.number"
        upload = "number,label\n" + "".join(f"{number},{2 * number}\n" for number in wanted)
        return Question(adql, form, upload.encode(), {"number": wanted, "energy": self.energy[wanted], "label": 2 * wanted})

"""What datasets there are, in the words by which they can be searched for: services list them to their users (PITFALLS P-106)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

IMAGES = ("image", "cube")
"""Products that image searches find (SIA 2.0 §2.1, §3.1)."""

SPECTRA = ("spectrum", "sed")
"""Products that spectrum searches find."""

CUTTABLE = (*IMAGES, "event")
"""Products that parts can be cut out of, where they are FITS files."""


class Product(NamedTuple):
    """What a dataset is: ``dataproduct_type`` and ``access_format`` of ObsCore."""

    kind: str | None
    format: str | None = None


@dataclass(frozen=True, slots=True)
class Kind:
    """Datasets that are alike in these columns of ObsCore; ``ra`` and ``dec`` (ICRS degrees) are where one of them lies, if any does."""

    product: str | None
    collection: str
    facility: str | None
    instrument: str | None
    format: str | None
    ra: float | None = None
    dec: float | None = None


@dataclass(frozen=True, slots=True)
class Holdings:
    """All kinds of datasets."""

    kinds: tuple[Kind, ...] = ()

    def only(self, products: Iterable[str]) -> "Holdings":
        """Those of some products."""
        wanted = set(products)
        return Holdings(tuple(kind for kind in self.kinds if kind.product in wanted))

    def words(self, attribute: str) -> tuple[str, ...]:
        """The values of an attribute of Kind, in alphabetical order."""
        return tuple(sorted({value for kind in self.kinds if (value := getattr(kind, attribute))}))

    @property
    def sample(self) -> tuple[float, float] | None:
        """Where a dataset lies, ICRS degrees; None if none has a place."""
        return next(((kind.ra, kind.dec) for kind in self.kinds if kind.ra is not None and kind.dec is not None), None)

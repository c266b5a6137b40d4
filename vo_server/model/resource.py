"""A resource: one descriptor, its tables, its registry record (VOResource 1.2, VODataService 1.2)."""

from dataclasses import dataclass
from datetime import datetime

from vo_server.model.example import Example


@dataclass(frozen=True, slots=True)
class Creator:
    """Who made the data: "Last, F." and an ORCID iD where known."""

    name: str
    orcid: str | None = None


WAVEBANDS = ("Radio", "Millimeter", "Infrared", "Optical", "UV", "EUV", "X-ray", "Gamma-ray")
"""Bands of light that every registry takes."""

MESSENGERS = (*WAVEBANDS, "Photon", "Neutrino")
"""All words of the vocabulary of messengers (VODataService 1.2 §3.2); the registry of registries still refuses the last ones."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """Where, when and at which energies the data lie; None: not known.

    ``spatial`` is a MOC in ASCII (ICRS); ``temporal`` MJD TDB; ``spectral`` Joule (VODataService 1.2 §3.2).
    """

    spatial: str | None = None
    temporal: tuple[float, float] | None = None
    spectral: tuple[float, float] | None = None
    waveband: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Resource:
    """What the registry says of one published resource. ``id`` is ``schema/name``; its ivoid is ``ivo://<authority>/<id>``."""

    schema: str
    name: str
    title: str
    description: str
    created: datetime
    updated: datetime
    short_name: str | None = None
    creators: tuple[Creator, ...] = ()
    subjects: tuple[str, ...] = ()
    reference_url: str | None = None
    source: str | None = None
    doi: str | None = None
    rights: str | None = None
    rights_uri: str | None = None
    facilities: tuple[str, ...] = ()
    instruments: tuple[str, ...] = ()
    content_level: tuple[str, ...] = ("Research",)
    type: tuple[str, ...] = ("Catalog",)
    coverage: Coverage = Coverage()
    tables: tuple[str, ...] = ()
    """Full names (``schema.table``) of its tables, in order."""
    sample: tuple[float, float] | None = None
    """Position (ICRS degrees) of one of its rows, for test queries that find something."""
    examples: tuple[Example, ...] = ()
    """Queries that its publisher recommends; the tables they read are found when they are shown."""

    @property
    def id(self) -> str:
        """``schema/name``."""
        return f"{self.schema}/{self.name}"


@dataclass(frozen=True, slots=True)
class Site:
    """The publisher: who runs this server, and under which authority its records stand."""

    authority: str = "example.vo-server"
    title: str = "Demonstration data centre"
    description: str = (
        "A vo-server without a publisher yet: its authority is an example, to be replaced before it is enrolled in the Registry."
    )
    organisation: str = "Example organisation"
    contact_name: str = "VO service operators"
    contact_email: str = "vo@example.org"
    reference_url: str | None = None
    created: datetime | None = None
    is_example: bool = True

    def ivoid(self, path: str = "") -> str:
        """``ivo://<authority>/<path>``; without a path the authority's own identifier."""
        return f"ivo://{self.authority}/{path}" if path else f"ivo://{self.authority}"

"""What a service can do and where (VOResource 1.2 §2.2.2, TAPRegExt 1.0, SimpleDALRegExt 1.2).

Built once by ``app`` from what is really routed, rendered by ``documents.capabilities`` for VOSI and for the registry's records.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class InputParam:
    """A parameter of a ParamHTTP interface (VODataService 1.2 §3.4).

    ``datatype`` is one of integer, real, complex, boolean, char, string: older schemas know no other words here.
    """

    name: str
    datatype: str
    description: str
    unit: str | None = None
    ucd: str | None = None
    arraysize: str | None = None
    use: str = "optional"
    std: bool = True


@dataclass(frozen=True, slots=True)
class Interface:
    """An access point. ``type`` is vs:ParamHTTP, vr:WebBrowser or vg:OAIHTTP; ``use`` of the address: base, full or dir."""

    url: str
    type: str = "vs:ParamHTTP"
    use: str = "base"
    role: str | None = "std"
    version: str | None = None
    query_types: tuple[str, ...] = ()
    result_type: str | None = None
    params: tuple[InputParam, ...] = ()
    test_query: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Capability:
    """One capability; ``xsi_type`` (with its canonical prefix) where a standard defines an extended type."""

    standard_id: str
    interfaces: tuple[Interface, ...]
    description: str | None = None
    xsi_type: str | None = None


@dataclass(frozen=True, slots=True)
class OutputFormat:
    """TAPRegExt 1.0 §2.4."""

    mime: str
    aliases: tuple[str, ...] = ()
    ivoid: str | None = None


@dataclass(frozen=True, slots=True)
class LanguageFeature:
    """A list of forms of one feature type (TAPRegExt 1.0 §2.3): (form, description)."""

    type: str
    forms: tuple[tuple[str, str | None], ...]


@dataclass(frozen=True, slots=True)
class Language:
    """A query language: versions are (text, ivoid)."""

    name: str
    versions: tuple[tuple[str, str], ...]
    description: str
    features: tuple[LanguageFeature, ...] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    """Default and hard limit of one kind; ``unit`` is row, byte or s."""

    default: int
    hard: int
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TableAccess(Capability):
    """tr:TableAccess (TAPRegExt 1.0 §2)."""

    languages: tuple[Language, ...]
    output_formats: tuple[OutputFormat, ...]
    upload_methods: tuple[str, ...] = ()
    data_models: tuple[tuple[str, str], ...] = ()
    """(name, ivoid)"""
    retention_s: Limits | None = None
    duration_s: Limits | None = None
    output_limit: Limits | None = None
    upload_limit: Limits | None = None
    xsi_type: str | None = "tr:TableAccess"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConeSearch(Capability):
    """cs:ConeSearch (SimpleDALRegExt 1.2 §3.1).

    ``test_query`` is (ra, dec, sr) in degrees and finds at least one row; None: no row is known. ``test_table``: the TABLE of the query,
    where a service searches many (SCS2, draft of 2026, §6.3.2).
    """

    max_sr: float = 180.0
    max_records: int
    verbosity: bool = True
    test_query: tuple[float, float, float] | None
    test_table: str | None = None
    xsi_type: str | None = "cs:ConeSearch"


@dataclass(frozen=True, slots=True, kw_only=True)
class SimpleImageAccess(Capability):
    """sia:SimpleImageAccess (SimpleDALRegExt 1.2 §3.2): SIAP 1.0 only, SIA 2.0 has a plain Capability.

    ``image_service_type`` is Cutout, Mosaic, Atlas or Pointed. Sizes on the sky are (longitude, latitude) in degrees, ``max_image_size``
    is in pixels, ``max_file_size`` in bytes. ``test_query`` is a position and a size that find at least one image.
    """

    image_service_type: str
    max_query_region_size: tuple[float, float] | None = None
    max_image_extent: tuple[float, float] | None = None
    max_image_size: int | None = None
    max_file_size: int | None = None
    max_records: int | None = None
    test_query: tuple[tuple[float, float], tuple[float, float]] | None = None
    xsi_type: str | None = "sia:SimpleImageAccess"


@dataclass(frozen=True, slots=True, kw_only=True)
class SimpleSpectralAccess(Capability):
    """ssap:SimpleSpectralAccess (SimpleDALRegExt 1.2 §3.3).

    ``compliance`` is query, minimal or full; ``data_sources`` are of survey, pointed, custom, theory, artificial; ``creation_types`` of
    archival, cutout, filtered, mosaic, projection, spectralExtraction, catalogExtraction. Sizes are diameters in degrees.
    ``test_query`` is a position and a size that find at least one spectrum.
    """

    compliance: str
    data_sources: tuple[str, ...]
    creation_types: tuple[str, ...]
    frames: tuple[str, ...]
    max_search_radius: float | None = None
    max_records: int | None = None
    default_max_records: int | None = None
    test_query: tuple[tuple[float, float], float] | None = None
    xsi_type: str | None = "ssap:SimpleSpectralAccess"


@dataclass(frozen=True, slots=True, kw_only=True)
class Harvest(Capability):
    """vg:Harvest (RegistryInterfaces 1.1 §3.2)."""

    max_records: int = 0
    xsi_type: str | None = "vg:Harvest"


@dataclass(frozen=True, slots=True)
class ServiceCapabilities:
    """All capabilities of one service, in the order of its /capabilities document; ``path`` is its address below the public URL."""

    path: str
    capabilities: tuple[Capability, ...] = field(default_factory=tuple)

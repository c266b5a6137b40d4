"""A small site with one of everything, for the tests of documents, records and OAI-PMH."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from lxml import etree, isoschematron

from vo_registry.oai_pmh import Metadata, Repository, answer
from vo_registry.records import Rendered, StoredRecord, render_all
from vo_server.documents.vosi import TABLES_ID, vosi_capabilities
from vo_server.model.capability import (
    Capability,
    ConeSearch,
    InputParam,
    Interface,
    Language,
    LanguageFeature,
    Limits,
    OutputFormat,
    ServiceCapabilities,
    SimpleImageAccess,
    SimpleSpectralAccess,
    TableAccess,
)
from vo_server.model.catalogue import Catalogue, Key, Position, Schema, Table
from vo_server.model.columns import Column, text
from vo_server.model.holdings import Product
from vo_server.model.resource import Coverage, Creator, Resource, Site

BASE = "https://vo.example.org/server"
CREATED = datetime(2025, 3, 4, 5, 6, 7, tzinfo=UTC)
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
RULES = Path(__file__).parents[2] / "schemas" / "rules"

SITE = Site(authority="example.org", title="Alert archive", organisation="Institute of Examples", created=CREATED)

STAR_COLUMNS = (
    Column("ra", "double", unit="deg", ucd="pos.eq.ra;meta.main", description="Right ascension", indexed=True),
    Column("dec", "double", unit="deg", ucd="pos.eq.dec;meta.main"),
    Column("size", "float", description="A reserved word"),
    Column("flux µ", "float", arraysize="3"),
    text("name", description="Näme & <company>", utype="meta:name"),
    Column("observed", "char", "*", xtype="timestamp", principal=True),
)

CATALOGUE = Catalogue(
    7,
    (Schema("tap_schema", "The tables of tables", index=0), Schema("ivoa"), Schema("data", "Our data", utype="x:data"), Schema("other")),
    (
        Table("tap_schema", "tables", "tap_schema.tables", (text("table_name", std=True),), kind="view"),
        Table("ivoa", "obscore", "ivoa.obscore", (text("obs_id", std=True),), kind="view", utype="ivo://ivoa.net/std/obscore#core-1.1"),
        Table(
            "data",
            "alerts",
            "vo_data.t1",
            STAR_COLUMNS,
            title="Alerts",
            description="All alerts",
            nrows=348,
            position=Position("ra", "dec"),
        ),
        Table("data", "Order 66", "vo_data.t2", STAR_COLUMNS[:5], nrows=0),
        Table("other", "notes", "vo_data.t3", (text("name"),)),
    ),
    (
        Key("k1", "data.alerts", "data.Order 66", (("name", "name"), ("size", "size")), "Which order", "x:key"),
        Key("k2", "data.alerts", "other.notes", (("name", "name"),)),
    ),
)

TAP = TableAccess(
    standard_id="ivo://ivoa.net/std/TAP",
    description="Queries in ADQL.",
    interfaces=(Interface(f"{BASE}/tap", version="1.1"),),
    languages=(
        Language(
            "ADQL",
            (("2.0", "ivo://ivoa.net/std/ADQL#v2.0"), ("2.1", "ivo://ivoa.net/std/ADQL#v2.1")),
            "The Astronomical Data Query Language",
            (
                LanguageFeature("ivo://ivoa.net/std/TAPRegExt#features-adqlgeo", (("POINT", None), ("CIRCLE", None))),
                LanguageFeature("ivo://ivoa.net/std/TAPRegExt#features-udf", (("ivo_healpix_index(hpxOrder INTEGER) -> BIGINT", "Cell"),)),
            ),
        ),
    ),
    output_formats=(
        OutputFormat("application/x-votable+xml", ("votable", "votable/td"), "ivo://ivoa.net/std/TAPRegExt#output-votable-td"),
        OutputFormat("text/csv", ("csv",)),
    ),
    upload_methods=("ivo://ivoa.net/std/TAPRegExt#upload-inline",),
    data_models=(("ObsCore-1.1", "ivo://ivoa.net/std/ObsCore#core-1.1"),),
    retention_s=Limits(86400, 864000, "s"),
    duration_s=Limits(60, 3600, "s"),
    output_limit=Limits(20_000, 20_000_000, "row"),
    upload_limit=Limits(1_000_000, 2_000_000, "byte"),
)
TABLES = Capability(standard_id=TABLES_ID, interfaces=(Interface(f"{BASE}/tap/tables", use="full"),), description="All tables.")

CONE = ConeSearch(
    standard_id="ivo://ivoa.net/std/ConeSearch",
    description="Alerts around a position.",
    interfaces=(
        Interface(
            f"{BASE}/scs/data.alerts?",
            query_types=("GET", "POST"),
            result_type="application/x-votable+xml",
            test_query="RA=77.36&DEC=5.69&SR=0.5",
            params=(
                InputParam("RA", "real", "Right ascension", "deg", "pos.eq.ra", use="required"),
                InputParam("MAXREC", "integer", "Most rows", std=False),
            ),
        ),
    ),
    max_records=1000,
    test_query=(77.36, 5.69, 0.5),
)

SIA2 = Capability(
    standard_id="ivo://ivoa.net/std/SIA#query-2.0",
    description="Images by position, time and energy.",
    interfaces=(Interface(f"{BASE}/sia2/query"),),
)

SIA1 = SimpleImageAccess(
    standard_id="ivo://ivoa.net/std/SIA",
    description="Images by position.",
    interfaces=(Interface(f"{BASE}/sia1?"),),
    image_service_type="Pointed",
    max_query_region_size=(360.0, 180.0),
    max_image_extent=(2.0, 2.0),
    max_image_size=4096,
    max_file_size=100_000_000,
    max_records=1000,
    test_query=((77.36, 5.69), (0.5, 0.25)),
)

SCS2 = replace(
    CONE,
    standard_id="ivo://ivoa.net/scs2#query-2.0",
    interfaces=(Interface(f"{BASE}/scs2", params=(InputParam("flux", "real", "Flux", "mJy", arraysize="2", std=False),)),),
    test_table="data.alerts",
)
SSA = SimpleSpectralAccess(
    standard_id="ivo://ivoa.net/std/SSA",
    description="Spectra by position.",
    interfaces=(Interface(f"{BASE}/ssa?", version="1.1"),),
    compliance="query",
    data_sources=("survey", "pointed"),
    creation_types=("archival",),
    frames=("ICRS", "GALACTIC_II"),
    max_search_radius=360.0,
    max_records=1000,
    default_max_records=100,
    test_query=((77.36, 5.69), 0.5),
)

LINKS = Capability(
    standard_id="ivo://ivoa.net/std/DataLink#links-1.1",
    description="What belongs to a dataset.",
    interfaces=(Interface(f"{BASE}/datalink/links", version="1.1", params=(InputParam("ID", "string", "Dataset", use="required"),)),),
)
SODA = tuple(
    Capability(
        standard_id=f"ivo://ivoa.net/std/SODA#{name}-1.0",
        description=f"Cut-outs ({name}).",
        interfaces=(Interface(f"{BASE}/soda/{name}", use="full", version="1.0"),),
    )
    for name in ("sync", "async")
)

SERVICES = (
    ServiceCapabilities("tap", (TAP, *vosi_capabilities(f"{BASE}/tap"), TABLES)),
    ServiceCapabilities("sia2", (SIA2, *vosi_capabilities(f"{BASE}/sia2"))),
    ServiceCapabilities("datalink", (LINKS, *vosi_capabilities(f"{BASE}/datalink"))),
    ServiceCapabilities("soda", (*SODA, *vosi_capabilities(f"{BASE}/soda"))),
    ServiceCapabilities("scs/data.alerts", (CONE,)),
    ServiceCapabilities("scs2/data.alerts", (SCS2,)),
)

ALERTS = Resource(
    "data",
    "alerts",
    "IceCube alerts",
    "Track-like neutrino events above 100 TeV.",
    CREATED,
    CREATED,
    short_name="IceCube neutrino alerts",
    creators=(Creator("Doe, J.", "https://orcid.org/0000-0001-2345-6789"), Creator("Roe, R.")),
    subjects=("neutrino-astronomy", "high-energy-astrophysics"),
    source="2023ApJS..269...25A",
    doi="https://doi.org/10.7910/DVN/SCRUCD",
    rights="CC BY 4.0",
    rights_uri="https://creativecommons.org/licenses/by/4.0/",
    facilities=("IceCube",),
    instruments=("IceCube DOMs",),
    coverage=Coverage("6/1-5 7/90", (55694.0, 60000.5), (1.6e-5, 1.6e-3), ("Neutrino", "gamma-ray")),
    tables=("data.alerts", "data.Order 66"),
    sample=(77.36, 5.69),
)
MAPS = Resource("data", "sky maps", "Sky maps", "Count maps around the alerts.", CREATED, CREATED)

ALERTS_ID = "ivo://example.org/data/alerts"
MAPS_ID = "ivo://example.org/data/sky=20maps"


def all_records(**changes: object) -> dict[str, Rendered]:
    """Everything rendered; `changes` replace arguments of render_all."""
    arguments: dict[str, object] = {
        "site": SITE,
        "resources": (ALERTS, MAPS),
        "catalogue": CATALOGUE,
        "services": SERVICES,
        "base_url": BASE,
    }
    arguments["products"] = {MAPS.id: (Product("image", "application/fits"),)}
    return render_all(**(arguments | changes))  # type: ignore[arg-type]


def as_stored(rendered: Rendered, datestamp: datetime, metadata: Metadata | None) -> StoredRecord:
    texts = dict(zip(("ivo_vor", "oai_dc"), rendered.dated(rendered.created or datestamp, datestamp), strict=True))
    return StoredRecord(rendered.identifier, datestamp, deleted=False, metadata=texts[metadata] if metadata else None)


class ListStore:
    """Records in memory, in the way of oai_pmh.Store; a record that is None is a tombstone."""

    def __init__(self, records: dict[str, tuple[datetime, Rendered | None]]) -> None:
        self.records = records

    def find(self, identifier: str, metadata: Metadata | None) -> StoredRecord | None:
        return next((self._show(name, metadata) for name in self.records if name.lower() == identifier.lower()), None)

    def page(
        self,
        *,
        limit: int,
        metadata: Metadata | None,
        since: datetime | None,
        until: datetime | None,
        after: tuple[datetime, str] | None,
    ) -> Sequence[StoredRecord]:
        places = sorted((stamp, name) for name, (stamp, _) in self.records.items())
        chosen = [
            name
            for stamp, name in places
            if (since is None or stamp >= since) and (until is None or stamp <= until) and (after is None or (stamp, name) > after)
        ]
        return [self._show(name, metadata) for name in chosen[:limit]]

    def earliest(self) -> datetime | None:
        return min((stamp for stamp, _ in self.records.values()), default=None)

    def _show(self, name: str, metadata: Metadata | None) -> StoredRecord:
        stamp, rendered = self.records[name]
        return StoredRecord(name, stamp, deleted=True) if rendered is None else as_stored(rendered, stamp, metadata)


def sample_store() -> ListStore:
    """Every record, each a second after the one before, and a tombstone at the end."""
    rendered = all_records()
    stamps = [CREATED + timedelta(seconds=number) for number in range(len(rendered))]
    records: dict[str, tuple[datetime, Rendered | None]] = dict(zip(rendered, zip(stamps, rendered.values(), strict=True), strict=True))
    return ListStore(records | {"ivo://example.org/data/gone": (stamps[-1] + timedelta(days=1), None)})


def ask(store: ListStore, pairs: Sequence[tuple[str, str]] = (), /, **arguments: str) -> bytes:
    """The answer to a request; `arguments` may be written with a trailing underscore (from_)."""
    repository = Repository("Alert archive", f"{BASE}/oai", "vo@example.org", "ivo://example.org/registry", NOW)
    return answer([*pairs, *((name.rstrip("_"), value) for name, value in arguments.items())], repository, store)


def violations(document: bytes, rules: str) -> list[str]:
    """The identifiers of the assertions of ``schemas/rules/<rules>.sch`` that a document fails."""
    schema = isoschematron.Schematron(etree.parse(RULES / f"{rules}.sch"), store_report=True)
    schema.validate(etree.fromstring(document))
    report = schema.validation_report.getroot()
    return [failed.get("id") for failed in report.iter("{http://purl.oclc.org/dsdl/svrl}failed-assert")]

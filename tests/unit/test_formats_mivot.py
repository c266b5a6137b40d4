"""The annotation that tells clients which columns are the main position (MIVOT 1.0)."""

from dataclasses import replace
from pathlib import Path

import pytest
from lxml import etree

from vo_server.formats.mivot import NAMESPACE, annotation, position_of
from vo_server.formats.votable import BINARY2, TABLEDATA, head, tail
from vo_server.model.columns import Column, text
from vo_server.model.result import Ending, Outcome, TableHead
from vo_server.model.service import ServiceDescriptor, ServiceParam

GOLDEN = Path(__file__).parent.parent / "golden" / "mivot.xml"


def number(name: str, ucd: str, unit: str | None = None, epoch: str | None = None, frame: str | None = None) -> Column:
    return Column(name, "double", unit=unit, ucd=ucd, epoch=epoch, frame=frame)


RA = number("ra", "pos.eq.ra;meta.main", "deg", "J1991.25")
DEC = number("dec", "pos.eq.dec;meta.main", "deg", "J1991.25")
PMRA, PMDEC = number("pmra", "pos.pm;pos.eq.ra", "mas.yr**-1"), number("pmdec", "pos.pm;pos.eq.dec", "mas/yr")
STARS = (
    text("star name", ucd="meta.id;meta.main"),
    RA,
    DEC,
    number("e_ra", "stat.error;pos.eq.ra", "mas"),
    number("e_dec", "stat.error;pos.eq.dec;meta.main", "mas"),
    number("ra_dec", "stat.correlation;pos.eq.ra;pos.eq.dec"),
    number("plx", "pos.parallax.trig", "mas"),
    number("e_plx", "stat.error;pos.parallax", "mas"),
    PMRA,
    PMDEC,
    number("e_pmra", "stat.error;pos.pm;pos.eq.ra", "mas.yr**-1"),
    number("plx_pmra", "stat.correlation;pos.parallax;pos.pm;pos.eq.ra"),
    number("rv", "spect.dopplerVeloc.opt", "km.s**-1"),
    number("e_rv", "stat.error;spect.dopplerVeloc.opt", "km/s"),
    number("mag", "phot.mag", "mag"),
    number("ra2000", "pos.eq.ra", "deg"),
)


def roles(*columns: Column) -> dict[str, str]:
    """Attribute of EpochPosition → name of its column."""
    position = position_of(columns)
    return {role: column.name for role, column in position.values.items()} if position else {}


def written(table: TableHead) -> etree._Element:
    return etree.fromstring(head(table, BINARY2) + tail(table, Outcome(Ending.COMPLETE, 0), BINARY2))


def test_all_that_columns_say_is_told() -> None:
    position = position_of(STARS)
    assert position is not None
    element = annotation(position, {column.name: column.name.replace(" ", "_") for column in STARS})
    etree.indent(element)
    assert etree.tostring(element, encoding="unicode") + "\n" == GOLDEN.read_text()


def test_a_position_alone_needs_no_name() -> None:
    position = position_of((RA, DEC))
    assert position is not None
    element = annotation(position, {"ra": "ra", "dec": "dec"})
    (template,) = element.findall(f"{{{NAMESPACE}}}TEMPLATES/*")
    assert template.get("dmtype") == "mango:EpochPosition"  # a MangoObject must have an identifier


@pytest.mark.parametrize(
    "columns",
    [
        (RA,),
        (RA, DEC, RA),
        (RA, replace(DEC, epoch="J2000.0")),
        (RA, replace(DEC, unit=None)),
        (RA, replace(DEC, arraysize="2")),
        (text("ra", ucd=RA.ucd, unit="deg"), DEC),
        (replace(RA, ucd="pos.eq.ra"), replace(DEC, ucd="pos.eq.dec")),
        (replace(RA, frame="ECLIPTIC"), replace(DEC, frame="ECLIPTIC")),
    ],
    ids=["half", "two", "two epochs", "no unit", "array", "text", "not the main one", "of no frame that clients know"],
)
def test_what_is_no_position_for_sure_is_none(columns: tuple[Column, ...]) -> None:
    assert position_of(columns) is None


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ((PMRA, PMDEC), {"pmLongitude": "pmra", "pmLatitude": "pmdec"}),
        ((PMRA,), {}),
        ((PMRA, replace(PMDEC, unit="mas")), {}),
        ((PMRA, PMDEC, replace(PMDEC, name="other")), {}),
        ((number("z", "src.redshift"), number("v", "spect.dopplerVeloc", "m.s-1")), {"radialVelocity": "v"}),
        ((number("v", "spect.dopplerVeloc.opt", "Hz"),), {}),
        ((number("a", "pos.parallax", "mas"), number("b", "pos.parallax;meta.main", "mas")), {"parallax": "b"}),
    ],
)
def test_what_is_not_sure_is_left_out(more: tuple[Column, ...], found: dict[str, str]) -> None:
    assert roles(RA, DEC, *more) == {"longitude": "ra", "latitude": "dec"} | found


def test_positions_of_other_frames_and_older_words() -> None:
    l, b = number("l", "pos.galactic.lon;meta.main", "deg"), number("b", "pos.galactic.lat;meta.main", "deg")  # noqa: E741
    assert roles(l, b, number("mu", "pos.pm;pos.galactic.lon", "mas/yr"), number("nu", "pos.pm;pos.galactic.lat", "mas/yr")) == {
        "longitude": "l",
        "latitude": "b",
        "pmLongitude": "mu",
        "pmLatitude": "nu",
    }
    assert roles(number("a", "POS_EQ_RA_MAIN", "deg"), number("d", "POS_EQ_DEC_MAIN", "deg")) == {"longitude": "a", "latitude": "d"}


@pytest.mark.parametrize(
    ("epoch", "frame", "columns", "kind", "told"),
    [
        ("B1950.0", "FK4", (), "mango:BesselianEpoch", "1950.0"),
        (None, None, (number("ref_epoch", "meta.ref;time.epoch", "yr"),), "mango:JulianEpoch", "ref_epoch"),
        ("J2016.0", None, (number("ref_epoch", "meta.ref;time.epoch", "yr"),), "mango:JulianEpoch", "2016.0"),
    ],
)
def test_the_epoch_is_the_descriptors_or_the_rows(
    epoch: str | None, frame: str | None, columns: tuple[Column, ...], kind: str, told: str
) -> None:
    position = position_of((replace(RA, epoch=epoch, frame=frame), replace(DEC, epoch=epoch, frame=frame), *columns))
    assert position is not None
    element = annotation(position, {name: name for name in ("ra", "dec", "ref_epoch")})
    (date,) = element.findall(".//*[@dmrole='mango:EpochPosition.obsDate']")
    assert (date.get("dmtype"), date.get("value") or date.get("ref")) == (kind, told)


def test_it_stands_in_a_resource_of_its_own_and_refers_to_fields() -> None:
    """CHECKLIST VOT-027, and the IDs that services need stay."""
    service = ServiceDescriptor("dl", "https://example.org/", (ServiceParam("ID", ref="star name"),))
    document = written(TableHead(STARS, descriptors=(service,), mivot=True))
    (vodml,) = document.iter(f"{{{NAMESPACE}}}VODML")
    outer = [vodml.getparent(), vodml.getparent().getparent()]
    assert [resource.get("type") for resource in outer] == ["meta", "results"]
    ids = [element.get("ID") for element in document.iter("{*}FIELD") if element.get("ID")]
    assert len(set(ids)) == len(ids)
    assert {element.get("ref") for element in vodml.iter() if element.get("ref")} <= set(ids)
    (of_service,) = (element.get("ref") for element in document.iter("{*}PARAM") if element.get("name") == "ID")
    assert of_service in ids


@pytest.mark.parametrize("table", [TableHead(STARS), TableHead(STARS[3:], mivot=True)])
def test_otherwise_there_is_nothing_of_it(table: TableHead) -> None:
    assert b"mivot" not in head(table, TABLEDATA)

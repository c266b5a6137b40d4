"""Packets of VOEvent as alerts: times and positions as they are meant, what stands for nothing, and files that are no packets."""

import bz2
import gzip
from datetime import datetime
from pathlib import Path

import pytest
from astropy.coordinates import SkyCoord
from astropy.time import Time

from vo_server.errors import DataError
from vo_server.observations.voevent import Alert, Citation, Param, read_alert

PLACE = """<WhereWhen><ObsDataLocation><ObservatoryLocation id="South Pole"/><ObservationLocation>
<AstroCoordSystem id="{system}"/><AstroCoords coord_system_id="{system}"><Time><TimeInstant><ISOTime>{time}</ISOTime></TimeInstant></Time>
<Position2D unit="deg"><Value2><C1>{lon}</C1><C2>{lat}</C2></Value2><Error2Radius>{radius}</Error2Radius></Position2D>
</AstroCoords></ObservationLocation></ObsDataLocation></WhereWhen>"""


def packet(inside: str = "", *, ivorn: str = "ivo://a.net/stream#1", version: str = "2.0", role: str = "observation") -> str:
    return (
        f'<voe:VOEvent xmlns:voe="http://www.ivoa.net/xml/VOEvent/v{version}" ivorn="{ivorn}" version="{version}" role="{role}">'
        f"<Who><Date>2020-01-02T03:04:05</Date></Who>{inside}</voe:VOEvent>"
    )


def where(
    lon: str = "77.43", lat: str = "5.79", radius: str = "0.5", system: str = "UTC-ICRS-TOPO", time: str = "2017-09-22T20:54:30.43"
) -> str:
    return PLACE.format(lon=lon, lat=lat, radius=radius, system=system, time=time)


def read(directory: Path, text: str, name: str = "packet.xml") -> Alert:
    (directory / name).write_text(text, encoding="utf-8")
    return read_alert(directory, name)


def test_a_packet_says_who_what_where_and_why(tmp_path: Path) -> None:
    alert = read(
        tmp_path,
        packet(
            '<What><Param name="far" value="1e-9" unit="Hz" ucd="arith.rate"><Description>False alarms</Description></Param>'
            '<Group name="flags"><Param name="test"><Value>no </Value></Param></Group><Table><Data/></Table></What>'
            + where()
            + '<How><Description>IceCube</Description><Reference uri="https://a.net/p"/></How>'
            '<Why importance="0.8"><Inference probability="0.9"><Concept>neutrino</Concept><Name>TXS 0506+056</Name></Inference></Why>'
            '<Citations><EventIVORN cite="supersedes">ivo://a.net/stream#0</EventIVORN><EventIVORN cite="followup"/></Citations>'
            "<Description> An\n alert </Description>"
        ),
    )
    assert (alert.ivorn, alert.stream, alert.role) == ("ivo://a.net/stream#1", "a.net/stream", "observation")
    assert alert.written == datetime(2020, 1, 2, 3, 4, 5)
    assert alert.place.observed == datetime(2017, 9, 22, 20, 54, 30, 430_000)
    assert (alert.place.ra, alert.place.dec, alert.place.error_radius) == (77.43, 5.79, 0.5)
    assert (alert.observatory, alert.instrument, alert.reference) == ("South Pole", "IceCube", "https://a.net/p")
    assert (alert.importance, alert.probability, alert.concept, alert.inferred) == (0.8, 0.9, "neutrino", "TXS 0506+056")
    assert alert.citations == (Citation("ivo://a.net/stream#0", "supersedes"),)
    assert alert.params == (
        Param(None, "far", "1e-9", "Hz", "arith.rate", "False alarms"),
        Param("flags", "test", "no", None, None, None),
    )
    assert [param.number for param in alert.params] == [1e-9, None]
    assert (alert.description, alert.tables) == ("An alert", 1)


@pytest.mark.parametrize("version", ["1.1", "2.0", "2.1"])
def test_all_versions_are_read(tmp_path: Path, version: str) -> None:
    assert read(tmp_path, packet(where(), version=version)).place.ra == 77.43


@pytest.mark.parametrize(("frame", "name"), [("FK5", "fk5"), ("GALACTIC", "galactic")])
def test_positions_become_icrs(tmp_path: Path, frame: str, name: str) -> None:
    place = read(tmp_path, packet(where("120.5", "-20.25", system=f"UTC-{frame}-GEO"))).place
    there = SkyCoord(120.5, -20.25, unit="deg", frame=name).icrs
    assert SkyCoord(place.ra, place.dec, unit="deg").separation(there).arcsec < 1e-4


@pytest.mark.parametrize("scale", ["TT", "TDB", "TCB"])
def test_times_become_utc(tmp_path: Path, scale: str) -> None:
    observed = read(tmp_path, packet(where(system=f"{scale}-ICRS-BARY"))).place.observed
    expected = Time("2017-09-22T20:54:30.43", scale=scale.lower()).utc.to_datetime()
    assert observed is not None
    assert abs((observed - expected).total_seconds()) < 1e-5


def test_an_offset_from_utc_is_taken_away(tmp_path: Path) -> None:
    assert read(tmp_path, packet(where(time="2017-09-22T22:54:30+02:00"))).place.observed == datetime(2017, 9, 22, 20, 54, 30)


@pytest.mark.parametrize(
    ("lon", "lat", "radius"),
    [("0.0", "0.0", "0.0"), ("-1.0", "-1.0", "-1.0"), ("10", "95", "1"), ("10", "20", "180"), ("", "", ""), ("nan", "1", "1")],
)
def test_what_stands_for_an_unknown_position_is_none(tmp_path: Path, lon: str, lat: str, radius: str) -> None:
    place = read(tmp_path, packet(where(lon, lat, radius))).place
    assert (place.ra, place.dec, place.error_radius) == (None, None, None)
    assert place.observed is not None


def test_a_stream_that_calls_its_position_inappropriate_has_none(tmp_path: Path) -> None:
    said = '<What><Param name="Coords_String" value="unavailable/inappropriate"/></What>'
    assert read(tmp_path, packet(said + where())).place.ra is None


def test_other_parameters_may_be_unavailable(tmp_path: Path) -> None:
    said = '<What><Param name="redshift" value="unavailable"/></What>'
    assert read(tmp_path, packet(said + where())).place.ra == 77.43


def test_an_unknown_frame_has_no_position(tmp_path: Path) -> None:
    assert read(tmp_path, packet(where(system="UTC-GEOD-TOPO"))).place.ra is None


def test_packed_packets_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.xml.gz").write_bytes(gzip.compress(packet().encode()))
    (tmp_path / "b.xml.bz2").write_bytes(bz2.compress(packet().encode()))
    assert read_alert(tmp_path, "a.xml.gz").ivorn == read_alert(tmp_path, "b.xml.bz2").ivorn


ENTITY = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY f SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it is no XML"),
        ("<VOEvent", "it is no XML"),
        ("<VOTABLE/>", "the outermost element is VOTABLE"),
        (packet(ivorn=""), "no identifier"),
        (packet(ivorn="http://x"), "no identifier"),
        (packet(where(time="yesterday")), "ISOTime: 'yesterday' is not a time"),
        (packet().replace("2020-01-02T03:04:05", "soon"), "Who/Date: 'soon' is not a time"),
        (packet("x" * 10_000_001), "larger than 10 MB"),
    ],
)
def test_what_is_no_packet_says_why(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        read(tmp_path, text)


def test_entities_are_not_followed(tmp_path: Path) -> None:
    alert = read(tmp_path, ENTITY + packet("<Description>&f;&b;</Description>"))
    assert "root" not in (alert.description or "")


def test_a_broken_archive_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.xml.gz").write_bytes(gzip.compress(packet().encode())[:-9])
    with pytest.raises(DataError, match="cannot be read"):
        read_alert(tmp_path, "a.xml.gz")

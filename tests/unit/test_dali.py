"""Values in parameters: what is read, and what is refused under the parameter's name."""

import math
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vo_server.dali.intervals import Interval, parse_interval
from vo_server.dali.numbers import parse_integer, parse_number
from vo_server.dali.shapes import Circle, Polygon, Range, parse_shape
from vo_server.dali.timestamps import mjd, parse_timestamp
from vo_server.errors import UsageError

finite = st.floats(allow_nan=False, allow_infinity=False)


@given(finite)
def test_every_double_is_read_as_itself(value: float) -> None:
    assert parse_number(repr(value), "FOV") == value


@pytest.mark.parametrize("text", ["", "1e", "nan", "Inf", "-Inf", "1_000", "0x10", "1,5", "٣", "1e999", "five"])
def test_what_is_no_finite_number_is_refused_by_name(text: str) -> None:
    with pytest.raises(UsageError, match="FOV") as refusal:
        parse_number(text, "FOV")
    assert refusal.value.parameter == "FOV"


@pytest.mark.parametrize(("text", "value"), [("0", 0), (" 4 ", 4), ("-3", -3)])
def test_integers(text: str, value: int) -> None:
    assert parse_integer(text, "CALIB") == value


@pytest.mark.parametrize("text", ["", "1.0", "1e2", "9" * 19, "two"])
def test_no_integers(text: str) -> None:
    with pytest.raises(UsageError, match="CALIB"):
        parse_integer(text, "CALIB")


@given(finite, finite)
def test_intervals_keep_their_ends(one: float, other: float) -> None:
    lower, upper = sorted((one, other))
    assert parse_interval(f"{lower!r} {upper!r}", "BAND") == Interval(lower, upper)


@pytest.mark.parametrize(
    ("text", "lower", "upper"),
    [
        ("5e-7", 5e-7, 5e-7),
        (" 1   2 ", 1, 2),
        ("-Inf 3", -math.inf, 3),
        ("3 +Inf", 3, math.inf),
        ("3 Inf", 3, math.inf),
        ("-Inf +Inf", -math.inf, math.inf),
    ],
)
def test_intervals(text: str, lower: float, upper: float) -> None:
    """CHECKLIST GEN-032 (DALI 1.1 §3.3.4)."""
    assert parse_interval(text, "TIME") == Interval(lower, upper)


@pytest.mark.parametrize("text", ["", "Inf", "1 2 3", "2 1", "+Inf -Inf", "NaN 1", "1/2", "1,2"])
def test_no_intervals(text: str) -> None:
    with pytest.raises(UsageError, match="TIME"):
        parse_interval(text, "TIME")


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("CIRCLE 77.36 5.69 0.1", Circle(77.36, 5.69, 0.1)),
        ("CIRCLE 0 -90 180", Circle(0, -90, 180)),
        ("RANGE 12 12.5 34 36", Range((12, 12.5), (34, 36))),
        ("RANGE 0 360 89 +Inf", Range((0, 360), (89, 90))),
        ("RANGE -Inf Inf -Inf -60", Range((0, 360), (-90, -60))),
        ("POLYGON 10 10 12 10 12 12", Polygon(((10, 10), (12, 10), (12, 12)))),
        ("POLYGON 10 10 12 10 12 12 10 10", Polygon(((10, 10), (12, 10), (12, 12)))),
        ("circle 1 2 3", Circle(1, 2, 3)),  # DALI 1.2, xtype "shape"
    ],
)
def test_shapes(text: str, shape: object) -> None:
    """CHECKLIST GEN-033 (DALI 1.1 §3.3.5 to §3.3.7)."""
    assert parse_shape(text, "POS") == shape


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "CIRCLE, RANGE or POLYGON"),
        ("BOX 1 2 3 4", "CIRCLE, RANGE or POLYGON"),
        ("CIRCLE 1 2", "three numbers"),
        ("CIRCLE 1 2 -1", "radius"),
        ("CIRCLE 1 2 181", "radius"),
        ("CIRCLE 1 91 1", "latitude 91"),
        ("CIRCLE 361 1 1", "longitude 361"),
        ("CIRCLE 1 2 Inf", "'Inf' is not a number"),
        ("CIRCLE ICRS 1 2 3", "three numbers"),
        ("RANGE 1 2 3", "four numbers"),
        ("RANGE 350 10 0 1", "is empty"),
        ("RANGE Inf Inf 0 1", "is empty"),
        ("RANGE 0 1 91 92", "is empty"),
        ("POLYGON 1 1 2 2 3", "pairs"),
        ("POLYGON 1 1 2 2", "three different vertices"),
        ("POLYGON 1 1 2 2 1 1", "three different vertices"),
    ],
)
def test_no_shapes(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=r"^POS: ") as refusal:
        parse_shape(text, "POS")
    assert said in str(refusal.value)


def area(outline: tuple[tuple[float, float], ...]) -> float:
    """Of a polygon of great-circle arcs, in square degrees; positive if it runs counter-clockwise seen from inside."""
    points = [[math.radians(number) for number in vertex] for vertex in outline]
    edges = zip(points, points[1:] + points[:1], strict=True)
    total = sum(
        2 * math.atan(math.tan((ra2 - ra1) / 2) * math.sin((dec1 + dec2) / 2) / math.cos((dec1 - dec2) / 2))
        for (ra1, dec1), (ra2, dec2) in edges
    )
    return math.degrees(math.degrees(total))


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("RANGE 10 12 40 41", 1),
        ("RANGE 0 360 88 90", 8),
        ("RANGE 0 360 -90 90", 16),
        ("RANGE 100 150 -10 5", 4),
        ("RANGE 5 6 0 10", 1),
        ("RANGE 5 6 -9 0", 1),
    ],
)
def test_ranges_are_cut_into_polygons_that_cover_them(text: str, pieces: int) -> None:
    box = parse_shape(text, "POS")
    assert isinstance(box, Range)
    outlines = box.outlines()
    assert len(outlines) == pieces
    south, north = (math.sin(math.radians(dec)) for dec in box.dec)
    true = math.degrees(math.radians(box.ra[1] - box.ra[0]) * (north - south)) * math.degrees(1)
    assert sum(abs(area(outline)) for outline in outlines) == pytest.approx(true, rel=2e-5)
    for outline in outlines:
        assert area(outline) > 0
        assert all(box.ra[0] <= ra <= box.ra[1] and box.dec[0] <= dec <= box.dec[1] for ra, dec in outline)


def test_a_range_without_extent_is_a_tiny_polygon() -> None:
    for text in ("RANGE 10 10 5 5", "RANGE 0 0 90 90", "RANGE 360 360 0 0"):
        box = parse_shape(text, "POS")
        assert isinstance(box, Range)
        for outline in box.outlines():
            assert len(set(outline)) >= 3
            assert all(abs(ra - box.ra[0]) < 1.1e-6 and abs(dec - box.dec[0]) < 1.1e-6 for ra, dec in outline)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2017-09-22", datetime(2017, 9, 22)),
        ("2017-09-22T20:54:30", datetime(2017, 9, 22, 20, 54, 30)),
        ("2017-09-22T20:54:30.43Z", datetime(2017, 9, 22, 20, 54, 30, 430000)),
        ("2017-09-22T20:54:30.436262789", datetime(2017, 9, 22, 20, 54, 30, 436262)),
    ],
)
def test_timestamps(text: str, instant: datetime) -> None:
    """CHECKLIST GEN-031 (DALI 1.1 §3.3.3)."""
    assert parse_timestamp(text, "DATE-OBS") == instant


@pytest.mark.parametrize(
    "text", ["", "22/09/17", "2017-13-01", "2017-09-22 20:54:30", "2017-09-22T20:54:30+02:00", "2017-09-22T25:00:00", "20170922"]
)
def test_no_timestamps(text: str) -> None:
    with pytest.raises(UsageError, match="DATE-OBS"):
        parse_timestamp(text, "DATE-OBS")


def test_modified_julian_dates() -> None:
    assert mjd(datetime(1858, 11, 17)) == 0
    assert mjd(datetime(2017, 9, 22, 12)) == 58018.5

"""Maps and plots as SVG, positions as people write them, citations."""

import asyncio
import re
from dataclasses import replace
from datetime import UTC, datetime
from xml.etree import ElementTree

import numpy as np
import pytest

from vo_server.errors import TimeLimitError
from vo_server.model.columns import Column
from vo_server.model.resource import Creator, Resource, Site
from vo_server.web import cells, plots, skymap
from vo_server.web.cache import Cache
from vo_server.web.citation import cite
from vo_server.web.search import position

SVG = "{http://www.w3.org/2000/svg}"
RESOURCE = Resource("sky", "stars", "Stars & {dust}", "…", datetime(2024, 5, 1, tzinfo=UTC), datetime(2025, 5, 1, tzinfo=UTC))


def inked(drawing: str) -> list[str]:
    """The paths of what is shown."""
    root = ElementTree.fromstring(drawing)
    return [path.get("d", "") for path in root.iter(f"{SVG}path") if set((path.get("class") or "").split()) & {"ink", "dots"}]


def test_known_places_lie_where_they_belong() -> None:
    x, y = skymap.project(np.array([0.0, 90.0, -180.0, 0.0]), np.array([0.0, 0.0, 0.0, 90.0]))
    assert list(zip(x.tolist(), y.tolist(), strict=True)) == [(720, 360), (366, 360), (1428, 360), (720, 12)]


@pytest.mark.parametrize("order", [0, 1, 4])
def test_cells_cover_the_map_once(order: int) -> None:
    """Their areas on the map, cut at its edge, add up to that of the ellipse: the projection is true to area."""
    path = skymap.cells_path(order, np.arange(12 * 4**order, dtype=np.uint64))
    total = 0.0
    for x0, y0, moves in re.findall(r"M(-?\d+) (-?\d+)l([-\d ]+)z", path):
        points = np.cumsum([[0.0, 0.0], *np.array(moves.split(), np.float64).reshape(-1, 2)], axis=0) + np.array([float(x0), float(y0)])
        shift = np.roll(points, -1, axis=0)
        total += abs(float(np.sum(points[:, 0] * shift[:, 1] - shift[:, 0] * points[:, 1]))) / 2
    ellipse = np.pi * 708 * 348
    assert ellipse * 0.97 < total < ellipse * 1.45  # cells across the edge are drawn at both sides


def test_a_coverage_of_any_order_is_drawn_in_bounded_size() -> None:
    fine = "12/" + " ".join(str(4 * n) for n in range(40_000))
    drawing = skymap.coverage_map(fine, "A <fine> coverage")
    assert len(drawing) < 200_000
    assert "A &lt;fine&gt; coverage" in drawing
    assert len(inked(skymap.coverage_map("0/0-11", "all"))) == 1


def test_few_positions_are_dots_and_many_are_shaded_cells() -> None:
    rng = np.random.default_rng(7)
    ra, dec = rng.uniform(0, 360, 20_000), rng.uniform(-90, 90, 20_000)
    (dots,) = inked(skymap.density_map(np.array([1.0, np.nan, 77.0]), np.array([2.0, 3.0, 95.0]), "few"))
    assert dots.count("M") == 1  # no place, and none beyond the pole
    assert 1 < len(inked(skymap.density_map(ra, dec, "many"))) <= 6


def test_histograms_count_and_axes_have_round_numbers() -> None:
    drawing = plots.histogram(np.array([1.0, 1.0, 2.0, np.nan, np.inf]), "flux [Jy]", "t")
    assert inked(drawing)[0].count("M") == 2
    assert ">1.2<" in drawing
    assert ">flux [Jy]<" in drawing
    assert "No values to draw" in plots.histogram(np.array([np.nan]), "a", "t")


def test_values_over_decades_are_logarithmic_and_angles_never() -> None:
    values = np.array([0.1, 1.0, 1000.0])
    assert plots.Axis.over(values, "flux [Jy]", 0, 100).log
    assert not plots.Axis.over(values, "ra [deg]", 0, 100).log
    assert not plots.Axis.over(-values, "flux [Jy]", 0, 100).log


def test_one_value_alone_has_an_axis() -> None:
    assert inked(plots.against(np.array([5.0]), np.array([0.0]), ("a", "b"), "t"))[0].count("M") == 1


@pytest.mark.parametrize(
    ("written", "place"),
    [
        ("77.36 +5.69", (77.36, 5.69)),
        ("77.36,-5", (77.36, -5.0)),
        ("05 09 25.9 +05 41 35", (77.35791666666667, 5.6930555555555555)),
        ("05:09:25.9 -00:30:00", (77.35791666666667, -0.5)),
        ("05h09m25.9s +05d41m35s", (77.35791666666667, 5.6930555555555555)),
        ("400 5", None),
        ("10 91", None),
        ("TXS 0506+056", None),
    ],
)
def test_positions_are_understood_as_people_write_them(written: str, place: tuple[float, float] | None) -> None:
    assert position(written) == (pytest.approx(place) if place else None)


def test_a_citation_is_text_and_bibtex_that_tex_can_read() -> None:
    resource = replace(RESOURCE, creators=(Creator("Müller, A."), Creator("IceCube Collaboration")), doi="10.1/x_y")
    cited = cite(resource, Site(organisation="Institute"), "https://vo.example.org/resources/sky/stars")
    assert cited.text.startswith("Müller, A.; IceCube Collaboration (2025): Stars & {dust}. Institute, ivo://")
    assert "title = {{Stars \\& \\{dust\\}}}," in cited.bibtex
    assert "author = {{Müller, A.} and {IceCube Collaboration}}," in cited.bibtex
    assert "url = {https://doi.org/10.1/x_y}," in cited.bibtex
    assert cited.bibtex.count("{") - cited.bibtex.count("\\{") == cited.bibtex.count("}") - cited.bibtex.count("\\}")


def test_cells_are_links_only_where_a_browser_may_go() -> None:
    text = Column("a", "char", "*")
    assert cells.cell("javascript:alert(1)", text) == "javascript:alert(1)"
    assert cells.cell('https://a.test/x"<y>', text) == '<a href="https://a.test/x&#34;&lt;y&gt;" rel="noreferrer">x&#34;&lt;y&gt;</a>'
    assert cells.cell([1.5, None, 2], Column("a", "double", "3")) == "1.5 – 2"


def test_the_cache_makes_a_value_once_and_stays_small() -> None:
    made: list[str] = []

    def make(key: str) -> str:
        made.append(key)
        return key * 10

    async def ask() -> None:
        cache = Cache(most_bytes=25)
        assert set(await asyncio.gather(*(cache.get("a", lambda: make("a"), len) for _ in range(5)))) == {"a" * 10}
        for key in "bca":
            await cache.get(key, lambda key=key: make(key), len)

    asyncio.run(ask())
    assert made == ["a", "b", "c", "a"]  # the longest unused had to go


def test_what_could_not_be_made_is_tried_again() -> None:
    tries = iter((TimeLimitError("slow"), "value"))

    def make() -> str:
        found = next(tries)
        if isinstance(found, Exception):
            raise found
        return found

    async def ask() -> str:
        cache = Cache()
        with pytest.raises(TimeLimitError):
            await cache.get("a", make, len)
        return await cache.get("a", make, len)

    assert asyncio.run(ask()) == "value"

"""Families of ADQL texts that try to keep a translator busy: each makes a text of any size, over the golden tables."""

from collections.abc import Callable
from math import cos, pi, sin

HERE = "POINT(ra, dec)"
THERE = f"DISTANCE({HERE}, POINT(1, 2))"


def polygon(corners: int, size: float, ra: float) -> str:
    """A star around a place on the equator."""
    angles = [2 * pi * corner / corners for corner in range(corners)]
    reach = [size * (1 if corner % 2 else 0.7) for corner in range(corners)]
    listed = (f"{ra + far * cos(angle):.5f}, {far * sin(angle):.5f}" for far, angle in zip(reach, angles, strict=True))
    return f"POLYGON({', '.join(listed)})"


def where(conditions: list[str], word: str = "OR") -> str:
    return f"SELECT id FROM data.stars WHERE {f' {word} '.join(conditions)}"


def inside(shape: str) -> str:
    return f"1 = CONTAINS({HERE}, {shape})"


def joined(kind: str, size: int, on: str) -> str:
    """So many joins; in `on`, ``{n}`` and ``{m}`` are the numbers of a table and of the one before."""
    tables = (f"{kind} JOIN data.many AS t{n} {on.format(n=n, m=n - 1)}" for n in range(1, size))
    return f"SELECT 1 AS x FROM data.stars AS t0 {' '.join(tables)}"


def union(selects: list[str]) -> str:
    return " UNION ALL ".join(selects)


def inwards(before: str, middle: str, after: str, depth: int) -> str:
    return f"SELECT {before * depth}{middle}{after * depth} AS x FROM data.stars"


NEAR = "ON DISTANCE(t{m}.ra, t{m}.dec, t{n}.ra, t{n}.dec) < 0.01"


def grouped(depth: int) -> str:
    """So many grouped queries, each in the condition of the next one, around a long sum."""
    text = f"SELECT MAX(id + {' + '.join(['1'] * 3000)}) AS x FROM data.stars"
    for _ in range(depth):
        text = f"SELECT COUNT(*) AS x FROM data.stars GROUP BY id HAVING COUNT(*) > ({text})"
    return text


FAMILIES: dict[str, tuple[int, Callable[[int], str]]] = {
    "numbers in a list": (15_000, lambda n: where([f"id IN ({', '.join(map(str, range(n)))})"])),
    "texts in a list": (15_000, lambda n: where([f"""name IN ({", ".join(f"'{x}'" for x in range(n))})"""])),
    "numbers in quotes": (15_000, lambda n: where([f"""id IN ({", ".join(f"'{x}'" for x in range(n))})"""])),
    "many lists": (100, lambda n: where([f"id IN ({', '.join(map(str, range(150)))})"] * n)),
    "a sum": (4900, lambda n: f"SELECT {' + '.join(['id'] * n)} AS x FROM data.stars"),
    "a quotient": (4900, lambda n: f"SELECT {' / '.join(['id'] * n)} AS x FROM data.stars"),
    "texts joined": (4900, lambda n: f"SELECT {' || '.join(['name'] * n)} AS x FROM data.stars"),
    "conditions": (2400, lambda n: where(["id = 1"] * n, "AND")),
    "negations": (9000, lambda n: where([f"{'NOT ' * n}id = 1"])),
    "cases": (1600, lambda n: f"SELECT CASE {' '.join(['WHEN id = 1 THEN 2'] * n)} END AS x FROM data.stars"),
    "columns of one name": (1500, lambda n: f"SELECT {', '.join(['id AS x'] * n)} FROM data.stars"),
    "stars": (150, lambda n: f"SELECT {', '.join(['*'] * n)} FROM data.stars"),
    "keys of an order": (1600, lambda n: f"SELECT id FROM data.stars ORDER BY {', '.join(f'id + {x}' for x in range(n))}"),
    "groups": (
        1000,
        lambda n: (
            f"SELECT {', '.join(f'id + {x} AS a{x}' for x in range(n))} FROM data.stars GROUP BY {', '.join(f'a{x}' for x in range(n))}"
        ),
    ),
    "groups in groups": (25, grouped),
    "a union of columns": (11, lambda n: union([f"SELECT {', '.join(['id'] * 400)} FROM data.stars"] * n)),
    "unions": (100, lambda n: union(["SELECT id FROM data.stars"] * n)),
    "common tables": (
        99,
        lambda n: (
            f"WITH w0 AS (SELECT * FROM data.stars), {', '.join(f'w{x} AS (SELECT * FROM w{x - 1})' for x in range(1, n))}"
            f" SELECT * FROM w{n - 1}"
        ),
    ),
    "scalar queries": (98, lambda n: f"SELECT {', '.join(['(SELECT MAX(id) FROM data.many)'] * n)} FROM data.stars"),
    "joins": (99, lambda n: joined("", n, "USING (id)")),
    "full joins": (99, lambda n: joined("FULL", n, "USING (id)")),
    "matches": (99, lambda n: joined("", n, NEAR)),
    "left matches": (99, lambda n: joined("LEFT", n, NEAR)),
    "full matches": (
        49,
        lambda n: (
            f"""SELECT 1 AS x FROM {
                ", ".join(
                    f"(data.stars a{x} FULL JOIN data.many b{x} ON DISTANCE(a{x}.ra, a{x}.dec, b{x}.ra, b{x}.dec) < 0.01)" for x in range(n)
                )
            }"""
        ),
    ),
    "nearest": (98, lambda n: f"SELECT {', '.join([f'(SELECT TOP 1 id FROM data.many ORDER BY {THERE})'] * n)} FROM data.stars"),
    "nearest inside nearest": (28, lambda n: inwards("(SELECT TOP 1 id FROM data.many WHERE id = ", "1", f" ORDER BY {THERE})", n)),
    "queries inside queries": (28, lambda n: inwards("(SELECT MAX(id) FROM data.many WHERE id = ", "1", ")", n)),
    "functions inside functions": (57, lambda n: inwards("ABS(", "id", ")", n)),
    "cases inside cases": (50, lambda n: inwards("CASE WHEN id = 1 THEN ", "1", " END", n)),
    "turned points": (12, lambda n: inwards("COORD1(IVO_GEOM_TRANSFORM('ICRS', 'GALACTIC', POINT(", "ra", ", dec)))", n)),
    "cones": (150, lambda n: where([inside(f"CIRCLE({x}, 10, 20)") for x in range(n)])),
    "a union of cones": (99, lambda n: union([where([inside(f"CIRCLE({x}, 10, {20 + x % 30})")]) for x in range(n)])),
    "polygons": (12, lambda n: where([inside(polygon(60, 20, x)) for x in range(n)])),
    "a polygon": (150, lambda n: where([inside(polygon(2 * n, 20, 100))])),
    "boxes": (37, lambda n: where([inside(f"BOX({x}, 10, 20, 20)") for x in range(n)])),
    "a region of circles": (
        140,
        lambda n: where([inside(f"REGION('Union ICRS ({' '.join(f'Circle {x} {x / 2} 30' for x in range(n))})')")]),
    ),
    "a MOC": (20_000, lambda n: where([inside(f"MOC('12/{' '.join(str(2 * x) for x in range(n))}')")])),
    "MOCs": (30, lambda n: where([inside(f"MOC('12/{' '.join(str(2 * x) for x in range(600))}')")] * n)),
    "digits": (190_000, lambda n: f"SELECT {'9' * n} AS x FROM data.stars"),
    "a text": (190_000, lambda n: f"SELECT '{'x' * n}' AS x FROM data.stars"),
    "quotes": (95_000, lambda n: f"""SELECT '{"''" * n}' AS x FROM data.stars"""),
    "comments": (60_000, lambda n: "--\n" * n + "SELECT id FROM data.stars"),
    "spaces": (190_000, lambda n: f"SELECT{' ' * n}id FROM data.stars"),
    "parentheses": (100_000, lambda n: "(" * n),
    "names that are not there": (2000, lambda n: where([f"{'q' * 40}{x} = 1" for x in range(n)])),
    "a unit": (30_000, lambda n: f"SELECT IN_UNIT(ra, '{'.'.join(['m'] * n)}') AS x FROM data.stars"),
}
"""Name → the largest size that is (or was) about what the limits let through, and the text of a size."""

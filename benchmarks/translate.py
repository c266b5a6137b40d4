"""How long ADQL → SQL takes: parse, resolve, translate.

    python benchmarks/translate.py [FILE.jsonl | --adversarial]

Without a file: the golden pairs. With one (a JSON object a line, its text under "adql"): its queries, each over tables that have what it
names, of 100 million rows (benchmarks/guessed.py). The best of some rounds counts; what is refused is not timed.

With --adversarial: texts that try to keep the translator busy (tests/integration/adql_families.py), each as large as the limits let
through, and what refusing or translating it takes, of processor time; the worst first.
"""

import json
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "integration"))

from adql_families import FAMILIES  # noqa: E402
from guessed import catalogue_for  # noqa: E402
from test_golden import CASES, CATALOGUE  # noqa: E402

from vo_server.errors import QueryMeaningError, QuerySyntaxError, VoError  # noqa: E402
from vo_server.model.catalogue import Catalogue  # noqa: E402
from vo_server.sql import compile_adql, parse_adql  # noqa: E402

ROUNDS = 10


def milliseconds(text: str, catalogue: Catalogue) -> float:
    """The best of some rounds."""
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.perf_counter()
        compile_adql(text, catalogue)
        best = min(best, time.perf_counter() - start)
    return best * 1e3


def report(name: str, texts: Iterable[tuple[str, Catalogue | None]]) -> None:
    """Times queries over their catalogues; without one, over a guessed one."""
    times: list[float] = []
    refused: Counter[str] = Counter()
    for text, catalogue in texts:
        try:
            times.append(milliseconds(text, catalogue or catalogue_for(parse_adql(text))))
        except QuerySyntaxError:
            refused["not ADQL"] += 1
        except QueryMeaningError:
            refused["functions, names or types that do not fit"] += 1
    times.sort()
    centile = times[min(len(times) - 1, int(len(times) * 0.99))]
    print(f"{name}: {len(times)} queries, median {statistics.median(times):.3f} ms, 99 % {centile:.3f} ms, longest {times[-1]:.3f} ms")
    for reason, number in refused.items():
        print(f"  refused: {number} ({reason})")


def worst() -> None:
    """The families at their largest, the slowest first."""
    found = []
    for name, (size, family) in FAMILIES.items():
        text, times = family(size), []
        for _ in range(ROUNDS):
            start = time.process_time()
            try:
                verdict = f"{len(compile_adql(text, CATALOGUE).sql)} characters of SQL"
            except VoError as error:
                verdict = f"refused: {str(error).splitlines()[0][:70]}"
            times.append(time.process_time() - start)
        found.append((min(times) * 1e3, name, len(text), verdict))
    for spent, name, length, verdict in sorted(found, reverse=True):
        print(f"{spent:7.1f} ms  {name:28} {length:7} characters, {verdict}")


def main() -> None:
    if sys.argv[1:] == ["--adversarial"]:
        worst()
        return
    if len(sys.argv) < 2:
        report("golden pairs", ((case.parts[0], CATALOGUE) for case in CASES))
        return
    lines = Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()
    report(sys.argv[1], ((json.loads(line)["adql"], None) for line in lines))


if __name__ == "__main__":
    main()

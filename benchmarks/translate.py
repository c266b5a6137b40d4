"""How long ADQL → SQL takes: parse, resolve, translate.

    python benchmarks/translate.py [FILE.jsonl]

Without a file: the golden pairs, whole translations. With one (a JSON object a line, its text under "adql"): parsing alone, since its
tables are not published here; add --all to time failures as well.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "integration"))

from test_golden import CASES, CATALOGUE  # noqa: E402

from vo_server.adql import parse  # noqa: E402
from vo_server.errors import VoError  # noqa: E402
from vo_server.sql import compile_adql  # noqa: E402

ROUNDS = 20


def milliseconds(action: Callable[[], object]) -> float | None:
    """The best of some rounds, None if the text is refused."""
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.perf_counter()
        try:
            action()
        except VoError:
            if "--all" not in sys.argv:
                return None
        best = min(best, time.perf_counter() - start)
    return best * 1e3


def report(name: str, times: list[float]) -> None:
    ordered = sorted(times)
    centile = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    print(
        f"{name}: {len(ordered)} queries, median {statistics.median(ordered):.3f} ms, 99 % {centile:.3f} ms, longest {ordered[-1]:.3f} ms"
    )


def main() -> None:
    files = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
    if not files:
        report(
            "golden pairs, whole translation",
            [found for case in CASES if (found := milliseconds(partial(compile_adql, case.parts[0], CATALOGUE)))],
        )
        return
    texts = [json.loads(line)["adql"] for line in Path(files[0]).read_text(encoding="utf-8").splitlines()]
    report(f"{files[0]}, parsing", [found for text in texts if (found := milliseconds(partial(parse, text)))])


if __name__ == "__main__":
    main()

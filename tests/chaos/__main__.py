"""A PostgreSQL of its own, a server, workers, and whatever ends them. Exit status 1 if anything is not as it should be."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.acceptance.test_program import free_port
from tests.chaos.run import Plan, run
from tests.conftest import EMBEDDED, programs, running


def main() -> int:
    """Run it, and tell what happened."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    for name, kind, standard, text in (
        ("jobs", int, 200, "asynchronous jobs"),
        ("clients", int, 20, "clients that stream without pause"),
        ("seconds", float, 120, "so long things go wrong"),
        ("seed", int, 1, "which things"),
        ("processes", int, 2, "server processes"),
        ("workers", int, 2, "workers"),
        ("port", int, 0, "where the server listens; any"),
    ):
        parser.add_argument(f"--{name}", type=kind, default=standard, help=f"{text} ({standard})")
    asked = vars(parser.parse_args())
    port = asked.pop("port") or free_port()
    folder = Path(tempfile.mkdtemp(prefix="vo-chaos-"))
    begin = time.monotonic()
    with running(programs()[EMBEDDED], autovacuum="on") as server:
        server.create("chaos", "template0")
        findings = run(Plan(**asked), server.url("chaos"), folder, port)
    print(f"{time.monotonic() - begin:.0f} s; files and logs in {folder}")
    for what, number in sorted(findings.counts.items()):
        print(f"{number:6d} {what}")
    for fault in findings.faults:
        print(f"FAULT: {fault}")
    return 1 if findings.faults else 0


if __name__ == "__main__":
    sys.exit(main())

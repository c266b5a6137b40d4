"""``vo adql`` without a database."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from vo_server.cli import app
from vo_server.cli.translate import judge_alone, verdicts
from vo_server.errors import QuerySyntaxError, UsageError
from vo_server.sql import parse_adql

LINES = [
    b'{"id": 1, "adql": "SELECT x FROM t"}',
    b"",
    b'{"id": "b", "adql": "SELECT x FROM", "other": true}',
    b"{",
    b'{"id": 4}',
    b"[1]",
    b'{"adql": "SELECT 1 FROM t"}',
    b"\xff",
]


def test_each_line_has_a_verdict() -> None:
    found = list(verdicts(LINES, parse_adql))
    assert [(verdict["id"], verdict["ok"]) for verdict in found] == [
        (1, True),
        ("b", False),
        (None, False),
        (4, False),
        (None, False),
        (None, True),
        (None, False),
    ]
    assert "A table expected" in found[1]["error"]
    assert "not JSON" in found[2]["error"]
    assert found[0]["error"] is None
    assert '"adql"' in found[3]["error"]


def test_lines_come_from_a_file_or_standard_input(tmp_path: Path) -> None:
    file = tmp_path / "queries.jsonl"
    file.write_bytes(b"\n".join(LINES))
    one = CliRunner().invoke(app, ["adql", "--syntax-only", "--jsonl", str(file)])
    for arguments in (["-"], []):
        other = CliRunner().invoke(app, ["adql", "--syntax-only", "--jsonl", *arguments], input=b"\n".join(LINES))
        assert one.stdout == other.stdout
    assert [json.loads(line)["ok"] for line in one.stdout.splitlines()] == [True, False, False, False, False, True, False]
    assert one.exit_code == 0


def test_one_text_is_judged() -> None:
    assert CliRunner().invoke(app, ["adql", "--syntax-only", "SELECT x FROM t"]).stdout == "ok\n"
    assert isinstance(CliRunner().invoke(app, ["adql", "--syntax-only", "SELECT"]).exception, QuerySyntaxError)


@pytest.mark.parametrize(
    "arguments", [["--explain", "--syntax-only", "SELECT x FROM t"], [], ["--syntax-only", "--jsonl", "/no/such/file"]]
)
def test_what_makes_no_sense_is_refused(arguments: list[str]) -> None:
    assert isinstance(CliRunner().invoke(app, ["adql", *arguments]).exception, UsageError)


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ("SELECT CAST(a AS VARCHAR(3)) * 3 FROM t", "not a number"),
        ("SELECT b FROM t WHERE 'x' || CAST(a AS REAL) = 'x1'", "not a text"),
        ("SELECT a FROM t WHERE b IN (SELECT 1 + CAST(c AS CHAR) FROM u)", "not a number"),
        ("SELECT a FROM t ORDER BY -2", "orders nothing"),
        ("SELECT a FROM t WHERE b > 2 AND MAX(b) = 3", "column 33: MAX cannot stand in WHERE"),
        ("SELECT a FROM t JOIN u ON t.a = COUNT(*)", "column 33: COUNT cannot stand in ON"),
        ("SELECT a FROM t GROUP BY SUM(b)", "column 26: SUM cannot stand in GROUP BY"),
        ("SELECT a FROM t WHERE IVO_HISTOGRAM(a, 0, 1, 2) IS NULL", "IVO_HISTOGRAM cannot stand in WHERE"),
        ("SELECT a FROM t WHERE RANK() OVER (ORDER BY a) = 1", "column 23: A window function cannot stand in WHERE"),
        ("SELECT a FROM t GROUP BY a HAVING RANK() OVER (ORDER BY a) = 1", "cannot stand in HAVING"),
        ("SELECT MAX(RANK() OVER (ORDER BY a)) FROM t", "cannot stand in a set function"),
        ("SELECT RANK() OVER (ORDER BY RANK() OVER (ORDER BY a)) FROM t", "cannot stand in a window function"),
        ("SELECT a FROM t WHERE b LIKE 5", "column 30: This is a number and not a text"),
        ("SELECT a FROM t WHERE b + 1 LIKE 'x%'", "LIKE compares texts"),
        ("SELECT a FROM t WHERE LOWER(5) = 'x'", "LOWER needs a text"),
        ("SELECT SIN('x') FROM t", "SIN needs a number"),
        ("SELECT SUM(LOWER(a)) FROM t", "SUM needs numbers"),
        ("SELECT a FROM t WHERE a > 'x' * 3", "calculates with numbers"),
        ("SELECT SIN(a, b) FROM t", "1 argument, not 2"),
        ("SELECT a FROM t WHERE b = (SELECT MAX(c) FROM u) GROUP BY a HAVING (SELECT COUNT(*) FROM u) > MAX(b)", None),
        ("SELECT SUM(b) OVER (PARTITION BY a) FROM t WHERE SIN('3') > '4' * 2 ORDER BY COUNT(*)", None),
        ("SELECT CAST(a AS REAL) * 3, CAST(a AS VARCHAR) || 'b', nofunction(q.x) FROM t ORDER BY -a", None),
    ],
)
def test_what_no_tables_could_mean_is_refused_without_them(query: str, word: str | None) -> None:
    (verdict,) = verdicts([json.dumps({"id": 1, "adql": query}).encode()], judge_alone)
    assert verdict["ok"] is (word is None)
    assert word is None or word in verdict["error"]

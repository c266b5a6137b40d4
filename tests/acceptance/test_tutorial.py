"""The tutorial, run as it is written: every command of its console blocks prints what the page says."""

import re
import runpy
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT: dict[str, Any] = runpy.run_path(str(ROOT / "docs" / "transcripts.py"))

VARYING = (
    (re.compile(r"\d+(\.\d+)?( ?)(ms|s|MB|kB)\b"), "N"),  # times and sizes
    (re.compile(r"PostgreSQL \d+\.\d+"), "PostgreSQL N"),
    (re.compile(r"\d+(?= (tables|records|checks|examples|parameters and columns)\b)"), "N"),  # which grow with the server
)


def steady(text: str) -> str:
    for pattern, word in VARYING:
        text = pattern.sub(word, text)
    return text


@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", SCRIPT["PAGES"])
def test_a_page_tells_what_happens(page: str) -> None:
    told = (ROOT / page).read_text(encoding="utf-8")
    assert steady(SCRIPT["rerun"](told)) == steady(told), "run: python docs/transcripts.py"

"""What is written about the project agrees with it: generated pages are fresh, links lead to files, examples of settings are settings."""

import json
import re
import runpy
import tomllib
from pathlib import Path
from typing import Any

import pytest

from vo_server.publish.descriptor import Descriptor
from vo_server.settings import Settings

ROOT = Path(__file__).parents[2]
TEXTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
GENERATED: dict[str, Any] = runpy.run_path(str(ROOT / "docs" / "generate.py"))["FILES"]


@pytest.mark.parametrize("name", GENERATED)
def test_generated_files_are_fresh(name: str) -> None:
    assert (ROOT / name).read_text(encoding="utf-8") == GENERATED[name](), "run: python docs/generate.py"


def test_every_setting_and_command_is_in_the_reference() -> None:
    settings = GENERATED["docs/reference/settings.md"]()
    assert all(f"| `{name}` | `VO_{name.upper()}` |" in settings for name in Settings.model_fields)
    commands = GENERATED["docs/reference/commands.md"]()
    assert all(f"## `vo {name}`" in commands for name in ("demo", "serve", "publish", "db init", "config"))
    assert set(json.loads(GENERATED["schemas/settings.schema.json"]())["properties"]) == set(Settings.model_fields)


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_texts_lead_to_files(path: Path) -> None:
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    targets = [target.split("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", text) if not re.match(r"[a-z]+:", target)]
    assert [target for target in targets if target and not (path.parent / target).exists()] == []


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_settings_in_texts_are_settings(path: Path) -> None:
    """Every ``VO_…`` variable that a text names, and every key of a ```` ```toml ```` block that begins with ``# vo.toml``."""
    text = path.read_text(encoding="utf-8")
    named = {name.lower() for name in re.findall(r"\bVO_([A-Z_]+[A-Z])\b", text)}
    for block in re.findall(r"```toml\n(# vo\.toml.*?)```", text, flags=re.DOTALL):
        named |= set(tomllib.loads(block))
    assert named - set(Settings.model_fields) == set()


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_descriptors_in_texts_are_descriptors(path: Path) -> None:
    for block in re.findall(r"```toml\n(\[resource\].*?)```", path.read_text(encoding="utf-8"), flags=re.DOTALL):
        Descriptor.model_validate(tomllib.loads(block))

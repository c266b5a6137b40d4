"""Imports run one way, along the journey of a request."""

import ast
from collections import Counter
from pathlib import Path

import pytest

from vo_server.layers import LAYERS

ROOT = Path(__file__).parents[2]
PLACES = {place: depth for depth, line in enumerate(LAYERS) for place in line}
SOURCES = {
    path: ".".join(path.relative_to(base).with_suffix("").parts).removesuffix(".__init__")
    for base in (ROOT, ROOT / "registry")
    for package in ("vo_server", "vo_registry")
    for path in sorted((base / package).rglob("*.py"))
}


def place(module: str) -> str | None:
    """The line of LAYERS a module belongs to: the longest name that contains it."""
    found = [name for name in PLACES if module == name or module.startswith(name + ".")]
    return max(found, key=len, default=None)


def imports(path: Path, module: str) -> list[tuple[int, str]]:
    """Every module of ours that a file imports, wherever in the file, with its line."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            package = module if path.name == "__init__.py" else module.rpartition(".")[0]
            base = ".".join(package.split(".")[: len(package.split(".")) - node.level + 1]) if node.level else ""
            origin = ".".join(part for part in (base, node.module) if part)
            found += [(node.lineno, f"{origin}.{alias.name}") for alias in node.names]
    return [(line, name) for line, name in found if name.split(".")[0] in ("vo_server", "vo_registry")]


def test_sources_are_found() -> None:
    assert len(SOURCES) > 5


@pytest.mark.parametrize("path", SOURCES, ids=SOURCES.values())
def test_imports_run_one_way(path: Path) -> None:
    module = SOURCES[path]
    if module in ("vo_server", "vo_registry", "vo_server.__main__"):
        return
    home = place(module)
    assert home is not None, f"{module} has no place in vo_server/layers.py"
    for line, name in imports(path, module):
        target = place(name)
        if target is None or target == home:
            continue
        assert PLACES[target] > PLACES[home], f"{path}:{line} imports {name}: {home} lies below or beside {target}"


@pytest.mark.parametrize("path", SOURCES, ids=SOURCES.values())
def test_no_import_inside_a_function(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            inner = [child for child in ast.walk(node) if isinstance(child, ast.Import | ast.ImportFrom)]
            ours = [
                child
                for child in inner
                if isinstance(child, ast.ImportFrom) and (child.module or "").startswith(("vo_server", "vo_registry"))
            ]
            assert not ours, f"{path}:{node.lineno} hides an import of ours in {node.name}()"


def test_no_two_modules_of_tests_have_one_name() -> None:
    """Pytest imports them by their names alone, and would run none."""
    names = Counter(path.name for path in (ROOT / "tests").rglob("test_*.py"))
    assert [name for name, count in names.items() if count > 1] == []

"""Write the reference pages and schemas that follow from the code: ``python docs/generate.py``; with ``--check`` only say what is stale."""  # noqa: INP001 a script, not a package

import json
import re
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from typer.main import get_command

from vo_server.adql.functions import ALL, Function
from vo_server.cli import app
from vo_server.formats import FORMATS
from vo_server.observations.descriptor import collection_schema
from vo_server.publish.descriptor import descriptor_schema
from vo_server.settings import ENVIRONMENT_PREFIX, Settings

ROOT = Path(__file__).parents[1]
STANDARDS = (
    *(
        "ADQL 2.1",
        "DALI 1.1",
        "DataLink 1.1",
        "OAI-PMH 2.0",
        "ObsCore 1.1",
        "RegTAP 1.2",
        "SIA 2.0",
        "SIA 1.0",
        "SIAP 1.0",
        "SSA 1.1",
        "SSAP 1.1",
    ),
    *("SODA 1.0", "Simple Cone Search 1.03", "SCS2", "SimpleDALRegExt 1.2", "TAP 1.1", "TAPRegExt 1.0", "UWS 1.1", "VODataService 1.2"),
    *("VOResource 1.2", "VOSI 1.1", "VOTable 1.4", "VOTable 1.5", "MIVOT 1.0", "MOC 2.0", "SoftID 1.0", "RFC 9110"),
)
"""As docstrings cite them."""

NOTE = "<!-- Written by docs/generate.py: do not edit. -->\n"


def settings_page() -> str:
    """Every setting, from the model."""
    rows = [
        f"| `{name}` | `{ENVIRONMENT_PREFIX}{name.upper()}` | {_default(info.default)} | {_cell(info.description or '')} |"
        for name, info in Settings.model_fields.items()
    ]
    head = [
        "# Settings",
        "",
        NOTE,
        "Settings are keys of `vo.toml` in the working directory (or of the file that `--config` names). An environment variable overrides",
        "the file, an option of the command line overrides both. `vo config` prints every value in force and where it comes from.",
        "A name that is not listed here stops the program.",
        "",
        "| key | variable | default | meaning |",
        "|---|---|---|---|",
    ]
    return "\n".join([*head, *rows, "", "`schemas/settings.schema.json` says the same to editors and validators.", ""])


def settings_schema() -> str:
    """The JSON Schema of ``vo.toml``."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Settings.model_json_schema()}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def functions_page() -> str:
    """Every function of ADQL, from the table that queries are translated by."""
    rows = [
        f"| `{_signature(function)}` | {function.result} | {_cell(function.unit or ('as its argument' if function.keeps_unit else ''))} | "
        f"{_cell(function.description or '')} |"
        for function in sorted(ALL, key=lambda function: function.name.lower())
    ]
    head = [
        "# Functions of ADQL",
        "",
        NOTE,
        "Names have no case. Brackets mark arguments that may be left out, dots the last one repeated. A coordinate system may stand",
        "before the arguments of a geometry, as ADQL 2.0 has it. What `/tap/capabilities` declares comes from the same table.",
        "",
        "| function | result | unit | meaning |",
        "|---|---|---|---|",
    ]
    return "\n".join([*head, *rows, ""])


def _signature(function: Function) -> str:
    least = len(function.parameters) if function.required is None else function.required
    needed, optional = list(function.parameters[:least]), list(function.parameters[least:])
    listed = (
        ", ".join(needed) + "".join(f"[, {kind}]" if needed else f"[{kind}]" for kind in optional) + (" …" if function.variadic else "")
    )
    return f"{function.name}({listed})"


CLAUSE = re.compile(
    rf"(?P<standard>{'|'.join(map(re.escape, STANDARDS))})(?P<clauses>(?:,? (?:and )?§[0-9A-Z][0-9A-Z.]*(?:[–-][0-9.]+)?)+)"
)


def conformance_page() -> str:
    """Which clause of which standard is obeyed where: what the docstrings cite."""
    places: dict[str, dict[str, set[str]]] = {standard: {} for standard in STANDARDS}
    for package in ("vo_server", "registry/vo_registry"):
        for path in sorted((ROOT / package).rglob("*.py")):
            text = re.sub(r"\s+", " ", path.read_text(encoding="utf-8"))
            for found in CLAUSE.finditer(text):
                for clause in re.findall(r"§([0-9A-Z.]*[0-9A-Z])", found["clauses"]):
                    places[found["standard"]].setdefault(clause, set()).add(path.relative_to(ROOT).as_posix())
    parts = [
        "# Conformance by clause",
        "",
        NOTE,
        "Where the code cites the clause of a standard that it obeys. Tests hold answers against the standards' schemas, our rules in",
        "`schemas/rules`, and validators (`stilts taplint`, `votlint`, `datalinklint`, `xsdvalidate`).",
        "",
    ]
    for standard, clauses in places.items():
        if clauses:
            parts += [f"## {standard}", "", "| clause | where |", "|---|---|"]
            parts += [
                f"| §{clause} | {', '.join(f'`{place}`' for place in sorted(clauses[clause]))} |" for clause in sorted(clauses, key=_order)
            ]
            parts.append("")
    return "\n".join(parts)


def _order(clause: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (10_000, part) for part in clause.split(".")]


PRODUCTION: dict[str, object] = {
    "public_url": "https://vo.example.org",
    "data_dir": "/var/lib/vo-server",
    "result_store": "/var/lib/vo-server/results",
    "processes": 2,
    "shutdown_seconds": 60,
    "log_format": "json",
    "log_requests": True,
}
"""What deploy/vo.toml sets, since the defaults are for trying."""


def production_settings() -> str:
    """A ``vo.toml`` for production: every setting with its meaning; those that need another value than the default are set."""
    parts = [
        "# Settings of vo-server for production: /etc/vo-server/vo.toml. Written by docs/generate.py; change your copy.",
        "# What is commented out has the default. The three addresses of the database carry passwords: keep them in",
        "# /etc/vo-server/secrets.env (mode 0600), as VO_DATABASE_URL, VO_QUERY_DATABASE_URL and VO_PUBLISH_DATABASE_URL.",
        "",
    ]
    for name, info in Settings.model_fields.items():
        parts += textwrap.wrap(info.description or "", 120, initial_indent="# ", subsequent_indent="# ")
        parts += [f"{name} = {_toml(PRODUCTION[name])}" if name in PRODUCTION else f"# {name} = {_toml(info.default)}", ""]
    return "\n".join(parts)


def _toml(value: object) -> str:
    if value is None:
        return '""'
    if isinstance(value, tuple):
        return json.dumps([str(one) for one in value])
    return json.dumps(value if isinstance(value, bool | int) else str(value))


def commands_page() -> str:
    """Every command with its arguments and options, from the program itself."""
    parts = [
        "# Commands",
        "",
        NOTE,
        "`vo COMMAND --help` says the same on the screen. Results go to stdout, everything else to stderr.",
        "",
    ]
    for name, command in _commands("vo", get_command(app)):
        parts += [f"## `{name}`", "", (command.help or "").strip(), "", *_usage(name, command), *_parameters(command)]
    return "\n".join(parts).rstrip() + "\n"


def formats_page() -> str:
    """Every output format with its names, from the table that requests are answered by."""
    rows = [
        [_cell(form.name), _codes(form.aliases[:1]), _codes([form.media_type]), _codes(form.aliases[1:]), _codes([form.ivoid or ""])]
        for form in FORMATS
    ]
    head = [
        "# Output formats",
        "",
        NOTE,
        "`RESPONSEFORMAT` (or TAP's older `FORMAT`) takes a name, an alias, or a media type; upper and lower case are the same, and the",
        "parameters `content` and `version` of a media type change nothing, and `charset` is UTF-8 or refused. A media type comes",
        f"back as it was given, a name gives the format's own. Without the parameter the answer is {FORMATS[0].name}. What is not listed",
        "is refused.",
        "",
        "Without the parameter TAP heeds the `Accept` header of HTTP: the format that it likes best, the first of this table among equals,",
        "VOTable if it likes none of them. A header with `text/html` in it changes nothing: browsers send it, and programs written in Java",
        "did, and both want what TAP promises. So `curl -H 'Accept: application/json' …` gives JSON, a link in a browser VOTable.",
        "",
        "| format | name | media type | also | TAPRegExt 1.0 id |",
        "|---|---|---|---|---|",
    ]
    notes = "What becomes of types and nulls in each: [formats explained](../explanation/formats.md)."
    return "\n".join([*head, *(f"| {' | '.join(row)} |" for row in rows), "", notes, ""])


def _codes(words: Sequence[str]) -> str:
    return ", ".join(f"`{word}`" for word in words if word)


def _commands(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    """The commands below a group, in the order of registration; groups themselves only hold them."""
    inner = getattr(command, "commands", None)
    if inner is None:
        yield name, command
        return
    for word, child in inner.items():
        yield from _commands(f"{name} {word}", child)


def _usage(name: str, command: Any) -> list[str]:
    words = [name, *(_argument(part) for part in command.params if not _is_option(part))]
    options = ["[OPTIONS]"] if any(_is_option(part) for part in command.params) else []
    return ["```", " ".join([*words, *options]), "```", ""]


def _parameters(command: Any) -> list[str]:
    rows = [f"| {_spelling(part)} | {_default(part.default)} | {_cell(part.help or '')} |" for part in command.params]
    return ["| argument or option | default | meaning |", "|---|---|---|", *rows, ""] if rows else []


def _is_option(parameter: Any) -> bool:
    return bool(parameter.param_type_name == "option")


def _argument(parameter: Any) -> str:
    word = parameter.metavar or parameter.name.upper()
    word = word.rstrip("….") + "…" if parameter.nargs == -1 else word
    return word if parameter.required else f"[{word}]"


def _spelling(parameter: Any) -> str:
    if not _is_option(parameter):
        return f"`{_argument(parameter)}`"
    if parameter.is_flag:
        return ", ".join(f"`{name}`" for name in [*parameter.opts, *parameter.secondary_opts])
    return ", ".join(f"`{name} {parameter.metavar or parameter.name.upper()}`" for name in parameter.opts) + (
        " (repeatable)" if parameter.multiple else ""
    )


def _default(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(f"`{one}`" for one in value)
    return "" if value is None or value is False or value == [] or callable(value) else f"`{value}`"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "\\<")


FILES: dict[str, Callable[[], str]] = {
    "docs/reference/formats.md": formats_page,
    "docs/reference/settings.md": settings_page,
    "docs/reference/commands.md": commands_page,
    "docs/reference/functions.md": functions_page,
    "docs/reference/conformance.md": conformance_page,
    "schemas/settings.schema.json": settings_schema,
    "schemas/resource.schema.json": descriptor_schema,
    "deploy/vo.toml": production_settings,
    "schemas/collection.schema.json": collection_schema,
}


def stale() -> list[str]:
    """The generated files that are not what the code says now."""
    return [name for name, make in FILES.items() if not (ROOT / name).is_file() or (ROOT / name).read_text(encoding="utf-8") != make()]


def main(arguments: list[str]) -> int:
    """Write the files, or with ``--check`` list the stale ones; exit status 1 if there are any."""
    names = stale()
    if arguments == ["--check"]:
        print("\n".join(f"stale: {name}" for name in names))
        return 1 if names else 0
    for name in names:
        (ROOT / name).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / name).write_text(FILES[name](), encoding="utf-8")
        print(f"wrote {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

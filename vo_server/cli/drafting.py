"""``vo draft`` and ``vo check``: a descriptor to begin with, and what is wrong with one."""

from pathlib import Path
from typing import Annotated

import typer

from vo_registry.subjects import find_terms
from vo_server.cli.common import ConfigFile, DataDir, Thesaurus, say, settings_from
from vo_server.errors import UsageError
from vo_server.publish.check import check as findings_of
from vo_server.publish.draft import draft as drafted
from vo_server.publish.options import PublishOptions

DataFile = Annotated[Path, typer.Argument(help="The data file.", metavar="FILE", show_default=False)]
Descriptors = Annotated[list[Path], typer.Argument(help="TOML descriptors.", metavar="DESCRIPTOR…", show_default=False)]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="Where to write it; - is the screen. Default: beside the file.")]
Part = Annotated[str | None, typer.Option("--part", help="Which of the file's tables; default: the first.")]
SchemaName = Annotated[str | None, typer.Option("--schema", help="Schema of the table; default: data.")]


def draft(file: DataFile, output: Output = None, part: Part = None, schema: SchemaName = None) -> None:
    """Write a descriptor for a data file: all that could be found out, with comments, to be completed."""
    text = drafted(file, PublishOptions(part=part, schema=schema))
    if output == Path("-"):
        print(text, end="")
        return
    target = output or file.with_name(f"{file.name.partition('.')[0]}.toml")
    try:
        with target.open("x", encoding="utf-8") as written:
            written.write(text)
    except FileExistsError:
        raise UsageError(f"{target} exists.", hint="Name another one by --output; - is the screen.") from None
    print(f"{target}: complete it, then `vo check {target}` and `vo publish {target}`")


def check(descriptors: Descriptors, thesaurus: Thesaurus = None, config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """Say everything that is wrong with descriptors, with lines, and what could be better. Exit status 1 if anything is wrong."""
    terms = find_terms(thesaurus, settings_from(config, data_dir=data_dir).thesaurus, fetch=False)
    faults = 0
    for path in descriptors:
        findings = findings_of(path, terms)
        wrong = [finding for finding in findings if finding.is_fault]
        for finding in findings:
            print(f"{path}: {'' if finding.is_fault else 'advice: '}{finding}")
        if not wrong:
            say(f"{path}: nothing is wrong")
        faults += len(wrong)
    if faults:
        raise typer.Exit(1)

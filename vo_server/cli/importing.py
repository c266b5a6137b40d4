"""``vo import-rd``: a descriptor of DaCHS becomes one of ours."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from vo_server.cli.common import say
from vo_server.dachs import DataFiles, import_rd
from vo_server.errors import DataError, UsageError
from vo_server.formats.readers import open_table
from vo_server.publish.descriptor import LayoutSection

DescriptorFile = Annotated[Path, typer.Argument(help="A resource descriptor of DaCHS.", metavar="FILE.rd", show_default=False)]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="Where to write it; - is the screen. Default: beside the file.")]


def import_descriptor(file: DescriptorFile, output: Output = None) -> None:
    """Write our descriptor for a resource descriptor of DaCHS, and say element by element what could not be taken over."""
    target = output or file.with_suffix(".toml")
    folder = file.parent if output in (None, Path("-")) else target.parent
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        raise DataError("there is no such file.", source=str(file)) from None
    except OSError as error:
        raise DataError(f"the file cannot be read ({error.strerror}).", source=str(file)) from None
    imported = import_rd(content, file.name, _beside(file.parent, folder))
    for remark in imported.remarks:
        say(f"  {remark}" if remark.lost else f"  done anyway: {remark}")
    if not imported.tables:
        raise DataError("no table can be taken over, as the messages above say.", source=str(file), hint="Nothing was written.")
    if target == Path("-"):
        print(imported.text, end="")
        return
    try:
        with target.open("x", encoding="utf-8") as written:
            written.write(imported.text)
    except FileExistsError:
        raise UsageError(f"{target} exists.", hint="Name another one by --output; - is the screen.") from None
    print(f"{target}: {', '.join(imported.tables)}; {len(imported.lost)} things were not taken over. `vo check {target}` comes next")


def _beside(origin: Path, folder: Path) -> DataFiles:
    """The files that lie where the descriptor lies, named as seen from where ours is written."""

    def match(pattern: str) -> Sequence[str]:
        if Path(pattern).is_absolute():
            return [pattern] if Path(pattern).is_file() else []
        found = sorted(path for path in origin.glob(pattern) if path.is_file())
        return [os.path.relpath(path, folder) for path in found]

    def columns(table: Mapping[str, Any]) -> Sequence[str] | None:
        layout = LayoutSection.model_validate(table["layout"]).layout if "layout" in table else None
        try:
            return [column.name for column in open_table(folder / table["source"], layout=layout).columns]
        except DataError:
            return None

    return DataFiles(match, columns)

"""``vo import-rd``: a descriptor of DaCHS becomes ours."""

import glob
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from vo_server.cli.common import say
from vo_server.dachs import Fate, Imported, Surroundings, import_rd
from vo_server.errors import DataError, UsageError
from vo_server.formats.readers import open_table
from vo_server.formats.readers.infer import fold
from vo_server.publish.descriptor import LayoutSection

DescriptorFile = Annotated[Path, typer.Argument(help="A resource descriptor of DaCHS.", metavar="FILE.rd", show_default=False)]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="Where to write it; - is the screen. Default: beside the file.")]
WithRestricted = Annotated[
    bool, typer.Option("--with-restricted", help="Take over also what DaCHS does not give to everybody. What is published is open to all.")
]

InPlace = Annotated[
    bool, typer.Option("--in-place", help="Describe the tables that DaCHS has in its database, not the files of which they were made.")
]

SCREEN = Path("-")
RESTRICTED = "--with-restricted takes over what DaCHS does not give to everybody."
IN_PLACE = "What DaCHS has in its database can be published from there: --in-place here, or vo publish --in-place SCHEMA.TABLE"
PREFIXES = {Fate.WITHHELD: "left out: ", Fate.LOST: "", Fate.COVERED: "done anyway: "}


def import_descriptor(
    file: DescriptorFile, output: Output = None, with_restricted: WithRestricted = False, in_place: InPlace = False
) -> None:
    """Write our descriptor for a resource descriptor of DaCHS, and say element by element what could not be taken over."""
    target = output or file.with_suffix(".toml")
    folder = file.parent if target == SCREEN else target.parent
    content, around = _content(file), _Beside(file, folder).surroundings()
    imported = import_rd(content, file.name, around, with_restricted=with_restricted, in_place=in_place)
    for remark in imported.remarks:
        say(f"  {PREFIXES[remark.fate]}{remark}")
    if imported.is_empty:
        hint = IN_PLACE if import_rd(content, file.name, around, with_restricted=True, in_place=in_place).is_empty else RESTRICTED
        raise DataError("nothing can be taken over, as the messages above say.", source=str(file), hint=f"Nothing was written. {hint}")
    _write(_texts(imported, target, "vo publish --in-place" if in_place else "vo check"))
    left = len(imported.of(Fate.WITHHELD))
    say(f"not taken over: {len(imported.of(Fate.LOST))}; left out, for DaCHS does not give it to everybody: {left}")


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        raise DataError("there is no such file.", source=str(file)) from None
    except OSError as error:
        raise DataError(f"the file cannot be read ({error.strerror}).", source=str(file)) from None


@dataclass(frozen=True, slots=True)
class _Text:
    """A text to write, and what to say of it."""

    path: Path
    text: str
    said: str


def _texts(imported: Imported, target: Path, following: str) -> list[_Text]:
    texts = []
    if imported.tables:
        texts.append(_Text(target, imported.text, f"{target}: {', '.join(imported.tables)}; `{following} {target}` comes next"))
    for name, text in imported.collections.items():
        only = not texts and len(imported.collections) == 1
        path = target if only or target == SCREEN else target.with_name(f"{target.stem}_{fold(name)}.toml")
        texts.append(_Text(path, text, f"{path}: the collection {name}; `vo publish-images {path}` comes next"))
    return texts


def _write(texts: Sequence[_Text]) -> None:
    """All of them, or none. UsageError if a file is there already."""
    if texts[0].path == SCREEN:
        if len(texts) > 1:
            raise UsageError(f"there are {len(texts)} descriptors to write.", hint="Name a file by --output; the others come beside it.")
        print(texts[0].text, end="")
        return
    if there := next((one.path for one in texts if one.path.exists()), None):
        raise UsageError(f"{there} exists.", hint="Name another one by --output; - is the screen.")
    for one in texts:
        with one.path.open("x", encoding="utf-8") as written:
            written.write(one.text)
        print(one.said)


@dataclass(frozen=True, slots=True)
class _Beside:
    """What lies where a descriptor lies, named as seen from the folder in which ours is written."""

    file: Path
    folder: Path

    def surroundings(self) -> Surroundings:
        """As the importer asks for it. DaCHS' name of the descriptor is its path below the inputs directory: of two parts, as a rule."""
        here = self.file.absolute()
        return Surroundings(f"{here.parent.name}/{here.stem}", self.match, self.columns, self.descriptor)

    def match(self, pattern: str, recurse: bool) -> Sequence[str]:
        """The files of a pattern, also those in directories below its own if `recurse`."""
        where, name = os.path.split(pattern)
        below = os.path.join(glob.escape(str(self.file.parent)), where, *(["**"] if recurse else []), name)
        found = sorted(path for path in glob.glob(below, recursive=recurse) if os.path.isfile(path))
        return found if os.path.isabs(pattern) else [os.path.relpath(path, self.folder) for path in found]

    def columns(self, table: Mapping[str, Any]) -> Sequence[str] | None:
        """The names of the columns that a section describes."""
        try:
            layout = LayoutSection.model_validate(table["layout"]).layout if "layout" in table else None
            return [column.name for column in open_table(self.folder / table["source"], table.get("part"), layout=layout).columns]
        except (DataError, ValidationError):
            return None

    def descriptor(self, rd_id: str) -> bytes | None:
        """Another descriptor, below a directory above this one's."""
        if rd_id.startswith(("/", "%")) or ".." in Path(rd_id).parts:
            return None
        others = (folder / f"{rd_id}.rd" for folder in list(self.file.absolute().parents)[1:4])
        return next((_content(path) for path in others if os.path.isfile(path)), None)

"""Files → tables: FITS, VOTable, ECSV, CSV, TSV, Parquet, HDF5 and ROOT, each as columns and batches of Arrow rows.

The module of a format is imported with the first file of it: each brings libraries, and all of them are a quarter of a server's memory.
"""

import codecs
import gzip
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path

from vo_server.errors import DataError
from vo_server.formats.readers.layouts import Layout
from vo_server.formats.readers.source import Bounds, Source
from vo_server.formats.readers.ucds import is_controlled

DELIMITED = (".csv", ".tsv", ".tab")
KNOWN = "FITS binary tables, VOTable, ECSV, CSV, TSV, Parquet, HDF5 and ROOT"
TAKEN = "FITS binary tables, VOTable, ECSV, CSV, TSV and Parquet"
"""What strangers may send: libraries that read the others are not made for files of unknown intent."""
ADVICE = "Other text tables need a descriptor with [table.layout]; convert the rest to one of these with TOPCAT or STILTS."
CONVERT = "Convert it to one of these, for instance with TOPCAT or STILTS."

SIGNATURES = ((b"PAR1", "parquet"), (b"SIMPLE  =", "fits"))
"""How a file of a binary format begins, and the module that reads it within bounds …"""

OWN_SIGNATURES = ((b"\x89HDF\r\n\x1a\n", "hdf5"), (b"root", "root"))
"""… and of those that only the operator's files may have."""

ECSV = b"# %ECSV"


def open_table(
    path: Path, table: str | None = None, nulls: Sequence[str] = (), bounds: Bounds | None = None, layout: Layout | None = None
) -> Source:
    """The first table of a file, or the one named `table`; `nulls`: spellings of missing values in text tables besides the empty one.
    A `layout` says that it is a text table, and how its lines become rows.

    The content decides on the format, the name only among text tables. `bounds` are for a stranger's table, whose name tells nothing;
    batches are to be held against them too. Raises DataError naming file, row, column and what to do, TooLargeError beyond the bounds.
    """
    if layout is not None:
        _beginning(path)
        return _checked(_opener("delimited", "open_laid_out")(path, layout, nulls))
    source = _opened(path, table, nulls, bounds)
    if bounds is not None:
        bounds.check(path.name, source.nrows or 0, columns=len(source.columns))
    return source


def open_other(source: Source, table: str) -> Source:
    """Another table of the file that `source` is of: the file is not read again where its tables can only be read together."""
    return open_table(source.path, table) if source.other_table is None else _checked(source.other_table(table))


def _opened(path: Path, table: str | None, nulls: Sequence[str], bounds: Bounds | None) -> Source:
    beginning = _beginning(path)
    for signature, module in SIGNATURES:
        if beginning.startswith(signature):
            return _checked(_opener(module)(path, table, bounds))
    for signature, module in OWN_SIGNATURES if bounds is None else ():
        if beginning.startswith(signature):
            return _checked(_opener(module)(path, table))
    if beginning.startswith(ECSV):
        return _checked(_opener("ecsv")(path, table))
    if beginning.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"<?xml", b"<VOTABLE")) or b"<VOTABLE" in beginning:
        return _checked(_opener("votable")(path, table, bounds))
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if (bounds is not None and _is_text_table(beginning)) or any(suffix in DELIMITED for suffix in suffixes[-2:]):
        return _checked(_opener("delimited")(path, table, nulls))
    if beginning.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise DataError("the text is UTF-16, not UTF-8.", source=path.name, hint="Convert it, for instance with `iconv -f utf16 -t utf8`.")
    known, advice = (KNOWN, ADVICE) if bounds is None else (TAKEN, CONVERT)
    raise DataError(f"this is none of the formats we read: {known}.", source=path.name, hint=advice)


def _opener(module: str, function: str | None = None) -> Callable[..., Source]:
    """What opens files of a format: the function ``open_…`` of its module."""
    found: Callable[..., Source] = getattr(import_module(f"{__name__}.{module}"), function or f"open_{module}")
    return found


def _is_text_table(beginning: bytes) -> bool:
    """Whether this may be the beginning of CSV or TSV: text whose first line has a delimiter, or is a single name. Its encoding may be
    wrong, which the reader tells.
    """
    if any(code in beginning for code in NOT_TEXT):
        return False
    lines = (line.strip() for line in beginning.decode("utf-8-sig", "replace").splitlines())
    first = next((line for line in lines if line and not line.startswith("#")), "")
    return not first.startswith(MARKUP) and (any(sign in first for sign in ',;\t|"') or first.isidentifier())


NOT_TEXT = bytes(code for code in range(32) if chr(code) not in "\t\n\r\f")
MARKUP = ("<", "{", "[", "%")
"""How pages, JSON and PDF begin."""


def refuse_stream(path: Path) -> None:
    """DataError if `path` is a pipe, a socket or a device: files are read several times."""
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise DataError("this is no ordinary file, and files are read more than once.", source=str(path), hint="Save it to a file first.")


def _beginning(path: Path) -> bytes:
    """The first kilobyte, unpacked if need be."""
    refuse_stream(path)
    try:
        with path.open("rb") as file:
            first = file.read(1024)
        if first.startswith(b"\x1f\x8b"):
            with gzip.open(path) as packed:
                first = packed.read(1024)
    except FileNotFoundError:
        raise DataError("there is no such file.", source=str(path)) from None
    except IsADirectoryError:
        raise DataError("this is a directory.", source=str(path), hint="Name the files in it.") from None
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"the file cannot be read ({error}).", source=path.name) from None
    if not first:
        raise DataError("the file is empty.", source=path.name)
    return first


def _checked(source: Source) -> Source:
    if not source.columns:
        raise DataError("the table has no columns.", source=source.path.name)
    notes = [*source.notes]
    strange = [column for column in source.columns if column.ucd and not is_controlled(column.ucd)]
    if strange:
        first = strange[0]
        notes.append(
            f"{len(strange)} UCDs are not in the controlled vocabulary, for example {first.ucd} ({first.name}); they stay as they are"
        )
    if source.nrows == 0:
        notes.append("the table has no rows")
    return replace(source, notes=tuple(notes))


__all__ = ["Bounds", "Layout", "Source", "open_other", "open_table", "refuse_stream"]

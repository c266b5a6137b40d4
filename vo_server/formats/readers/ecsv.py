"""ECSV (APE 6): text with types, units and descriptions in its head, through astropy."""

import re
import warnings
from pathlib import Path

from astropy.table import Table

from vo_server.errors import DataError
from vo_server.formats.readers import memory
from vo_server.formats.readers.source import Source


def open_ecsv(path: Path, table: str | None) -> Source:
    """The one table of an ECSV file. DataError says why it cannot be read."""
    if table is not None and table != path.name.split(".")[0]:
        raise DataError(f"there is no table {table!r}: an ECSV file holds one.", source=path.name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            content = Table.read(str(path), format="ascii.ecsv")
    except (ValueError, TypeError, KeyError, IndexError, OSError, EOFError, UnicodeDecodeError) as error:
        raise DataError(
            f"this ECSV file cannot be read ({_first_line(error)}).", source=path.name, hint="See APE 6 for the format."
        ) from None
    return memory.from_astropy(path, content)


def _first_line(error: Exception) -> str:
    return re.sub(r"\s+", " ", str(error)).strip()[:300].rstrip(".")

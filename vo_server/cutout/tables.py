"""Rows and columns of FITS binary tables, where they lie in the file (FITS 4.0 §7.3)."""

from typing import Any

import numpy as np
import numpy.typing as npt
from astropy import units
from astropy.io import fits

from vo_server.cutout.fitsfile import FitsFile, header_bytes, padding, without_sums
from vo_server.cutout.windows import Window
from vo_server.errors import UsageError

Array = npt.NDArray[np.float64]


def rows_of(file: FitsFile, hdu: Any) -> npt.NDArray[Any]:
    """The rows of a table as records, mapped."""
    dtype = hdu.columns.dtype.newbyteorder(">")
    if dtype.itemsize != hdu.header["NAXIS1"]:
        raise UsageError(f"The table {hdu.name} cannot be read: its columns do not fill its rows.", parameter="ID")
    return file.mapped(hdu, dtype, (int(hdu.header["NAXIS2"]),))


def column_name(hdu: Any, name: str) -> str | None:
    """A column's name as the table spells it."""
    return next((known for known in hdu.columns.names if known.upper() == name), None)


def numbers(hdu: Any, records: npt.NDArray[Any], name: str, unit: str) -> Array:
    """The values of a column of numbers in a unit; the column's own if it says none."""
    column = hdu.columns[name]
    values: Array = records[name].astype(np.float64)
    if column.bscale not in (None, "", 1) or column.bzero not in (None, "", 0):
        values = values * float(column.bscale or 1) + float(column.bzero or 0)
    if column.unit and column.unit.strip() and column.unit.strip() != unit:
        try:
            values = values * units.Unit(column.unit).to(unit)
        except (ValueError, TypeError):
            raise UsageError(f"The column {name} is in {column.unit!r}, which is no unit like {unit}.", parameter="ID") from None
    return values


def energies(file: FitsFile, hdu: Any, name: str) -> Array:
    """A column of energies in Joule; without a unit they are keV (OGIP Memo OGIP/92-002)."""
    spelled = column_name(hdu, name) or name
    values = numbers(hdu, rows_of(file, hdu), spelled, "J")
    return values if (hdu.columns[spelled].unit or "").strip() else values * units.keV.to("J")


def part_of_table(file: FitsFile, hdu: Any, window: Window) -> bytes:
    """A table with some of its rows, as an HDU; for small ones without variable-length arrays."""
    return table_bytes(hdu.header, rows_of(file, hdu)[window.lower : window.upper])


def table_bytes(header: fits.Header, records: npt.NDArray[Any]) -> bytes:
    """Rows as an HDU with the header of their table."""
    copy = without_sums(header)
    copy["NAXIS2"] = len(records)
    data = records.tobytes()
    return header_bytes(copy) + data + padding(len(data))

"""The table that clients upload, in tests."""

import io
import warnings

import numpy as np
from astropy.table import MaskedColumn, Table

SERIALISATIONS = ("tabledata", "binary", "binary2")


def sample(*, nulls: bool = True) -> Table:
    """Three rows with every type, places near sources 1, 4 and none, and names that ADQL reserves. `nulls`: some integers are missing."""
    mask = [False, nulls, False]
    table = Table()
    table["size"] = MaskedColumn(np.array([1, -2, 3], "i2"), mask=mask, description="A reserved word")
    table["interval"] = MaskedColumn(np.array([1, -(2**31), 3], "i4"), mask=mask)
    table["Long"] = MaskedColumn(np.array([2**63 - 1, 0, -(2**63) + 1], "i8"), mask=mask)
    table["f"] = np.array([1.5, np.nan, -0.25], "f4")
    table["RA"] = np.array([279.2347, 10.0, 101.2872])
    table["RA"].unit = "deg"
    table["DE"] = np.array([38.7837, 20.0, -16.7161])
    table["DE"].unit = "deg"
    table["name"] = ["Vega", "nothing", "Sirius"]
    table["vector"] = np.arange(6.0).reshape(3, 2)
    table["RA"].info.meta = {"ucd": "pos.eq.ra;meta.main"}
    table["DE"].info.meta = {"ucd": "pos.eq.dec;meta.main"}
    return table


def written(table: Table, serialisation: str) -> bytes:
    """The table as a VOTable."""
    content = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table.write(content, format="votable", tabledata_format=serialisation)
    return content.getvalue()

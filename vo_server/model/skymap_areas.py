"""The columns of ivoa.skymap_areas: the areas of sky maps that hold the source with some probability. No standard has them yet."""

from vo_server.model import obscore
from vo_server.model.catalogue import Key
from vo_server.model.columns import Column

TABLE = "skymap_areas"
DESCRIPTION = "Smallest areas of the sky maps published here that hold the source with some probability, one row an area, as MOCs"
KEY_COLUMN = "area_key"
"""Hidden column of the view: the key it shares with the side table of cells."""


def _of_obscore(name: str) -> Column:
    return next(column for column in obscore.COLUMNS if column.name == name)


COLUMNS: tuple[Column, ...] = (
    *(_of_obscore(name) for name in ("obs_publisher_did", "obs_id", "obs_collection")),
    Column("probability", "double", ucd="stat.probability", description="Probability that the source lies inside", principal=True),
    Column("area_deg2", "double", unit="deg**2", ucd="phys.angArea", description="Size of the area", principal=True),
    Column("moc", "char", "*", "moc", ucd="pos.outline;obs.field", description="The area", indexed=True, principal=True),
)

KEY = Key(
    f"{obscore.SCHEMA}.{TABLE}.obs_publisher_did",
    f"{obscore.SCHEMA}.{TABLE}",
    f"{obscore.SCHEMA}.{obscore.TABLE}",
    (("obs_publisher_did", "obs_publisher_did"),),
    "The sky map as a dataset",
)

"""A small catalogue for tests of queries."""

from vo_server.model.catalogue import Catalogue, Position, Schema, Table
from vo_server.model.columns import Column, text

STARS = Table(
    "data",
    "stars",
    "vo_data.stars",
    (
        Column("id", "int", ucd="meta.id", utype="x:id", description="number"),
        Column("ra", "double", unit="deg"),
        Column("dec", "double", unit="deg"),
        Column("Vmag", "float", unit="mag"),
        Column("pm", "double", unit="mas/yr"),
        Column("name", "unicodeChar", "*"),
        Column("seen", "char", "*", "timestamp"),
        Column("flag", "boolean"),
        Column("cov", "double", "2x2"),
        Column("a.b c", "int"),
        Column("Twin", "int"),
        Column("twin", "int"),
        Column("_hpx29", "long"),
    ),
    position=Position("ra", "dec"),
)
EVENTS = Table("data", "events", "vo_data.events", (Column("id", "long"), Column("energy", "double", unit="TeV"), text("name")))
NAMESAKE = Table("other", "events", "vo_data.namesake", (Column("id", "long"),))
CATALOGUE = Catalogue(1, (Schema("data"), Schema("other")), (STARS, EVENTS, NAMESAKE))

"""A table with columns of all kinds: types, sizes, xtypes, names that ADQL takes only in quotes."""

from pathlib import Path

from vo_server.app import record_keeper
from vo_server.db.database import Database
from vo_server.publish import PublishOptions, publish_file
from vo_server.settings import Settings

KINDS = """\
<VOTABLE xmlns="http://www.ivoa.net/xml/VOTable/v1.3" version="1.4"><RESOURCE><TABLE>
<FIELD name="id" datatype="int" ucd="meta.id;meta.main"><DESCRIPTION>Number of &lt;the&gt; source</DESCRIPTION></FIELD>
<FIELD name="size" datatype="short" unit="kpc" ucd="phys.size"/>
<FIELD name="Odd name, &quot;so called&quot;" datatype="char" arraysize="*"/>
<FIELD name="größe" datatype="unicodeChar" arraysize="*"/>
<FIELD name="shown" datatype="boolean"/>
<FIELD name="byte" datatype="unsignedByte"/>
<FIELD name="large" datatype="long"/>
<FIELD name="real" datatype="float" utype="mine:real"/>
<FIELD name="code" datatype="char" arraysize="12"/>
<FIELD name="bounded" datatype="char" arraysize="20*"/>
<FIELD name="three" datatype="double" arraysize="3"/>
<FIELD name="plane" datatype="float" arraysize="2x3"/>
<FIELD name="many" datatype="int" arraysize="*"/>
<FIELD name="seen" datatype="char" arraysize="*" xtype="timestamp"/>
<FIELD name="span" datatype="double" arraysize="2" xtype="interval" unit="d"/>
<FIELD name="place" datatype="double" arraysize="2" xtype="point" unit="deg"/>
<FIELD name="around" datatype="double" arraysize="3" xtype="circle" unit="deg"/>
<FIELD name="outline" datatype="double" arraysize="*" xtype="polygon" unit="deg"/>
<FIELD name="region" datatype="char" arraysize="*" xtype="adql:REGION"/>
<FIELD name="cover" datatype="char" arraysize="*" xtype="moc"/>
<FIELD name="key" datatype="char" arraysize="*" xtype="uuid"/>
<FIELD name="day" datatype="double" xtype="mjd" unit="d"/>
<DATA><TABLEDATA>
<TR><TD>1</TD><TD>2</TD><TD>a</TD><TD>ä</TD><TD>T</TD><TD>255</TD><TD>9007199254740993</TD><TD>0.5</TD><TD>Vega</TD><TD>short</TD>
<TD>1 2 3</TD><TD>1 2 3 4 5 6</TD><TD>7 8</TD><TD>2020-01-02T03:04:05</TD><TD>1 2</TD><TD>10 20</TD><TD>10 20 1</TD><TD>0 0 1 0 1 1</TD>
<TD>Circle ICRS 10 20 1</TD><TD>1/0-3</TD><TD>e0b895ca-2ee4-4f0f-b595-cbd83be40b04</TD><TD>59000.5</TD></TR>
<TR><TD>2</TD><TD/><TD/><TD/><TD/><TD/><TD/><TD/><TD/><TD/><TD>NaN NaN NaN</TD>
<TD>NaN NaN NaN NaN NaN NaN</TD><TD/><TD/><TD>NaN NaN</TD><TD>NaN NaN</TD><TD>NaN NaN NaN</TD><TD/>
<TD/><TD/><TD/><TD/></TR>
</TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>
"""
"""One row of values and one of nulls."""

DESCRIPTOR = """\
[resource]
schema = "sky"
title = "All kinds"

[table]
source = "kinds.vot"
name = "kinds"
description = "Columns of all kinds"

"""


def publish(database: Database, settings: Settings, folder: Path, more: str = "") -> None:
    """``sky.kinds``, from files in `folder`; `more` is the rest of its descriptor."""
    (folder / "kinds.vot").write_text(KINDS, encoding="utf-8")
    (folder / "kinds.toml").write_text(DESCRIPTOR + more, encoding="utf-8")
    publish_file(database, folder / "kinds.toml", PublishOptions(), records=record_keeper(settings), progress=None)

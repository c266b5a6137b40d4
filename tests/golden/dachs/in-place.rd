<!--
in_place = true
tables = ["main", "lines"]
withheld = ["closed: it is closed to ADQL", "secret: the column is hidden"]
lost = ["<mixin>//epntap2#table-2_0: epn_core: the columns that the mixin brings are not known here"]
"tables.0" = { name = "main", source = "sky.main", only_described = true, ra = "RAJ2000", dec = "DEJ2000", columns = { raj2000 = { name = "RAJ2000", unit = "deg", ucd = "pos.eq.ra;meta.main" }, dej2000 = { name = "DEJ2000", unit = "deg", ucd = "pos.eq.dec;meta.main" }, "G mag" = { unit = "mag" } } }
"tables.1" = { name = "lines", source = "sky.lines", only_described = true, columns = { raj2000 = { name = "RAJ2000", unit = "deg", ucd = "pos.eq.ra;meta.main" } } }
-->
<resource schema="sky">
  <table id="main" onDisk="True" adql="True">
    <column name="RAJ2000" unit="deg" ucd="pos.eq.ra;meta.main"/>
    <column name="DEJ2000" unit="deg" ucd="pos.eq.dec;meta.main"/>
    <column name="quoted/G mag" unit="mag"/>
    <column name="secret" hidden="True"/>
  </table>
  <table id="closed" onDisk="True" adql="False">
    <column name="id"/>
  </table>
  <data id="import">
    <sources items="0"/>
    <embeddedGrammar><iterator><code>yield {}</code></iterator></embeddedGrammar>
    <make table="main"/>
  </data>
  <table id="lines" onDisk="True" adql="True">
    <column original="main.RAJ2000"/>
    <viewStatement>CREATE VIEW \curtable AS (SELECT \colNames FROM \schema.main)</viewStatement>
  </table>
  <table id="epn_core" onDisk="True">
    <mixin spatial_frame_type="body">//epntap2#table-2_0</mixin>
  </table>
</resource>

<!--
"table.layout.names" = ["id", "ra", "b"]
"table.layout.separator" = ";"
"table.layout.skip" = 2
absent = ["table.ra"]
lost = ["dec: no column of the file goes into it"]
-->
<resource schema="sky">
  <table id="main" onDisk="True" adql="True">
    <column name="id" type="text"/>
    <column name="ra" ucd="pos.eq.ra;meta.main" unit="deg"/>
    <column name="dec" ucd="pos.eq.dec;meta.main" unit="deg"/>
  </table>
  <data>
    <sources>data.txt</sources>
    <csvGrammar names="id, ra b" delimiter=";" topIgnoredLines="2"/>
    <make table="main">
      <rowmaker idmaps="*"/>
    </make>
  </data>
</resource>

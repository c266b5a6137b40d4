<!--
"columns.y.unit" = "km"
"columns.y.description" = "Y"
absent = ["columns.x"]
-->
<resource schema="sky">
  <STREAM id="s">
    <column name="x"/>
    <column name="y" unit="m"/>
  </STREAM>
  <table id="main" onDisk="True" adql="True">
    <column name="id" type="text"/>
    <column name="ra" ucd="pos.eq.ra;meta.main" unit="deg"/>
    <column name="dec" ucd="pos.eq.dec;meta.main" unit="deg"/>
    <FEED source="s">
      <PRUNE name="x"/>
      <EDIT ref="column[y]" description="Y" unit="km"/>
    </FEED>
  </table>
  <data id="import">
    <sources>data.csv</sources>
    <csvGrammar/>
    <make table="main">
      <rowmaker idmaps="*"/>
    </make>
  </data>
</resource>

<!--
"columns.x.unit" = "m"
"columns.x.description" = "Y"
lost = ["other: no <data> makes its rows"]
-->
<resource schema="sky">
  <table id="other">
    <column name="x" unit="m" description="X"/>
  </table>
  <table id="main" onDisk="True" adql="True">
    <column name="id" type="text"/>
    <column name="ra" ucd="pos.eq.ra;meta.main" unit="deg"/>
    <column name="dec" ucd="pos.eq.dec;meta.main" unit="deg"/>
    <column original="other.x" description="Y"/>
  </table>
  <data id="import">
    <sources>data.csv</sources>
    <csvGrammar/>
    <make table="main">
      <rowmaker idmaps="*"/>
    </make>
  </data>
</resource>

<!--
"table.position" = false
lost = ["not in degrees: no cone search"]
-->
<resource schema="sky">
  <table id="main" onDisk="True" adql="True">
    <column name="ra" ucd="pos.eq.ra;meta.main" unit="h"/>
    <column name="dec" ucd="pos.eq.dec;meta.main" unit="deg"/>
  </table>
  <data id="import">
    <sources>data.csv</sources>
    <csvGrammar/>
    <make table="main">
      <rowmaker idmaps="*"/>
    </make>
  </data>
</resource>

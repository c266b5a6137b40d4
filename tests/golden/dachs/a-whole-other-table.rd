<!--
"table.ra" = "ra"
"columns.x.unit" = "m"
-->
<resource schema="sky">
  <table id="other">
    <column name="id" type="text"/>
    <column name="ra" ucd="pos.eq.ra;meta.main" unit="deg"/>
    <column name="dec" ucd="pos.eq.dec;meta.main" unit="deg"/>
  </table>
  <table id="main" original="other" onDisk="True" adql="True">
    <column name="x" unit="m"/>
  </table>
  <data id="import">
    <sources>data.csv</sources>
    <csvGrammar/>
    <make table="main">
      <rowmaker idmaps="*"/>
    </make>
  </data>
</resource>

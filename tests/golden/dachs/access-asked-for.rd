<!--
with_restricted = true
"table.ra" = "ra"
lost = ["main: it is closed to ADQL: adql=\"False\"; what is published here is open to all", "secret: the column is hidden; what is"]
"columns.secret.unit" = "m"
-->
<resource schema="sky">
  <table id="main" onDisk="True" adql="False">
    <column name="id" type="text"/>
    <column name="ra" ucd="pos.eq.ra;meta.main" unit="deg"/>
    <column name="dec" ucd="pos.eq.dec;meta.main" unit="deg"/>
    <column name="secret" unit="m" hidden="True"/>
  </table>
  <data id="import">
    <sources>data.csv</sources>
    <csvGrammar/>
    <make table="main"/>
  </data>
</resource>

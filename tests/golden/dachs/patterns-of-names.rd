<!--
"columns.mag_b.unit" = "mag"
absent = ["columns.err_b"]
lost = ["err_b: no column of the file goes into it"]
-->
<resource schema="sky">
  <table id="main" onDisk="True" adql="True">
    <column name="id" ucd="meta.id;meta.main"/>
    <column name="mag_b" unit="mag"/>
    <column name="err_b"/>
  </table>
  <data id="import">
    <sources>data.csv</sources>
    <csvGrammar/>
    <make table="main"><rowmaker idmaps="id, mag_*"/></make>
  </data>
</resource>

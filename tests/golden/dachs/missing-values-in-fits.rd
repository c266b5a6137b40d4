<!--
"table.source" = "data.fits"
absent = ["table.nulls"]
lost = ["-99.0 was made a missing value; here such values stay as they are in the file"]
-->
<resource schema="sky">
  <table id="main" onDisk="True" adql="True">
    <column name="id" ucd="meta.id;meta.main"/>
    <column name="mag"/>
  </table>
  <data id="import">
    <sources>data.fits</sources>
    <fitsTableGrammar/>
    <make table="main"><rowmaker idmaps="*"><map key="mag" nullExpr="-99.0">@mag</map></rowmaker></make>
  </data>
</resource>

<!--
tables = ["obs", "main"]
"tables.0.name" = "obs"
"tables.1.keys.0" = { columns = ["id"], target = "sky.obs", target_columns = ["obs_id"] }
"tables.0.columns.obs_id.unit" = "m"
-->
<resource schema="sky">
  <table id="obs" onDisk="True" adql="True">
    <column name="obs_id" unit="m"/>
  </table>
  <table id="main" onDisk="True" adql="True">
    <column name="id" type="text"/>
    <column name="ra" ucd="pos.eq.ra;meta.main" unit="deg"/>
    <column name="dec" ucd="pos.eq.dec;meta.main" unit="deg"/>
    <foreignKey inTable="obs" source="id" dest="obs_id"/>
  </table>
  <data id="import">
    <sources>data.csv</sources>
    <csvGrammar/>
    <make table="main">
      <rowmaker idmaps="*"/>
    </make>
  </data>
  <data>
    <sources>obs.fits</sources>
    <fitsTableGrammar/>
    <make table="obs">
      <rowmaker idmaps="*"/>
    </make>
  </data>
</resource>

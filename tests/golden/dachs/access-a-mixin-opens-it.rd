<!--
"table.ra" = "ra"
lost = ["ivoa.obscore has what"]
-->
<resource schema="sky">
  <table id="main" onDisk="True">
    <column name="id" type="text"/>
    <column name="ra" ucd="pos.eq.ra;meta.main" unit="deg"/>
    <column name="dec" ucd="pos.eq.dec;meta.main" unit="deg"/>
    <mixin dataproduct_type="'image'" obs_title="'sky'">//obscore#publish</mixin>
  </table>
  <data id="import">
    <sources>data.csv</sources>
    <csvGrammar/>
    <make table="main"/>
  </data>
</resource>

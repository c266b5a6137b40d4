<!--
covered = ["positions are indexed anyway"]
"columns.mag.index" = true
absent = ["columns.raj.index", "columns.id.index"]
-->
<resource schema="sky">
  <table id="main" onDisk="True" adql="True">
    <column name="id" ucd="meta.id;meta.main"/>
    <column name="raj" ucd="pos.eq.ra;meta.main" unit="deg"/>
    <column name="dej" ucd="pos.eq.dec;meta.main" unit="deg"/>
    <column name="mag" type="real" unit="mag" ucd="phot.mag"/>
    <index columns="mag"/>
    <index columns="raj"/>
  </table>
  <data id="import">
    <sources>data.csv</sources>
    <csvGrammar/>
    <make table="main"/>
  </data>
</resource>

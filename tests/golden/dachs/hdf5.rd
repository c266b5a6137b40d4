<!--
"table.source" = "data/events.h5"
"table.part" = "events"
"columns.energy.unit" = "TeV"
-->
<resource schema="sky">
  <table id="main" onDisk="True" adql="True">
    <column name="energy" unit="TeV" ucd="em.energy"/>
  </table>
  <data id="import">
    <sources>data/events.h5</sources>
    <hdf5Grammar dataset="events"/>
    <make table="main"/>
  </data>
</resource>

<!--
tables = []
lost = ["<mixin>//ssap#hcd: main: its rows are spectra", "ssap.xml: spectra are found once"]
-->
<resource schema="sky">
  <table id="main" onDisk="True" adql="True">
    <column name="id" ucd="meta.id;meta.main"/>
    <mixin fluxCalibration="ABSOLUTE">//ssap#hcd</mixin>
  </table>
  <data id="import">
    <sources>data.csv</sources>
    <csvGrammar/>
    <make table="main"/>
  </data>
  <service id="s" allowed="ssap.xml"><ssapCore queriedTable="main"/><publish render="ssap.xml" sets="ivo_managed"/></service>
</resource>

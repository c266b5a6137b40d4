<!--
tables = []
withheld = ["main: only the profiles private read it"]
-->
<resource schema="sky">
  <table id="main" onDisk="True" readProfiles="private">
    <column name="id" type="text"/>
    <column name="ra" ucd="pos.eq.ra;meta.main" unit="deg"/>
    <column name="dec" ucd="pos.eq.dec;meta.main" unit="deg"/>
  </table>
  <data id="import">
    <sources>data.csv</sources>
    <csvGrammar/>
    <make table="main"/>
  </data>
</resource>

<!--
"table.position" = false
absent = ["table.ra"]
lost = ["positions are GALACTIC"]
-->
<resource schema="sky">
  <table id="main" onDisk="True" adql="True">
    <column name="id" type="text"/>
    <column name="ra" ucd="pos.eq.ra;meta.main" unit="deg"/>
    <column name="dec" ucd="pos.eq.dec;meta.main" unit="deg"/>
    <column name="l" unit="deg" ucd="pos.galactic.lon"/>
    <column name="b" unit="deg" ucd="pos.galactic.lat"/>
    <stc>Position GALACTIC "l" "b"</stc>
  </table>
  <data id="import">
    <sources>data.csv</sources>
    <csvGrammar/>
    <make table="main">
      <rowmaker idmaps="*"/>
    </make>
  </data>
</resource>

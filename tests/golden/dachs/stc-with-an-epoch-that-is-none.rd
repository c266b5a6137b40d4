<!--
"table.ra" = "ra"
lost = ["the epoch of-old is not kept"]
absent = ["table.frames"]
covered = ["positions are ICRS"]
-->
<resource schema="sky">
  <table id="main" onDisk="True" adql="True">
    <column name="id" type="text"/>
    <column name="ra" ucd="pos.eq.ra;meta.main" unit="deg"/>
    <column name="dec" ucd="pos.eq.dec;meta.main" unit="deg"/>
    <column name="e_ra" unit="deg"/>
    <column name="e_dec" unit="deg"/>
    <stc>Position ICRS Epoch of-old "ra" "dec" Error "e_ra" "e_dec"</stc>
  </table>
  <data id="import">
    <sources>data.csv</sources>
    <csvGrammar/>
    <make table="main">
      <rowmaker idmaps="*"/>
    </make>
  </data>
</resource>

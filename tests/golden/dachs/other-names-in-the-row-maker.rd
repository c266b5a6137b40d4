<!--
"columns.RA.name" = "ra"
"columns.DE.name" = "dec"
"table.dec" = "dec"
absent = ["columns.id.name"]
-->
<resource schema="sky">
  <table id="main" onDisk="True" adql="True">
    <column name="id" type="text"/>
    <column name="ra" ucd="pos.eq.ra;meta.main" unit="deg"/>
    <column name="dec" ucd="pos.eq.dec;meta.main" unit="deg"/>
  </table>
  <data>
    <sources pattern="data.csv"/>
    <csvGrammar/>
    <make table="main">
      <rowmaker idmaps="id">
        <simplemaps>ra:RA</simplemaps>
        <map dest="dec" src="DE"/>
      </rowmaker>
    </make>
  </data>
</resource>

<!--
"columns.ID.name" = "id"
"columns.RAJ2000.name" = "ra"
"table.ra" = "ra"
-->
<resource schema="sky">
  <table id="main" onDisk="True" adql="True">
    <column name="id" type="text"/>
    <column name="ra" ucd="pos.eq.ra;meta.main" unit="deg"/>
    <column name="dec" ucd="pos.eq.dec;meta.main" unit="deg"/>
  </table>
  <data>
    <sources>d.csv</sources>
    <csvGrammar>
      <mapKeys>id:ID, ra:RAJ2000</mapKeys>
    </csvGrammar>
    <make table="main">
      <rowmaker idmaps="*"/>
    </make>
  </data>
</resource>

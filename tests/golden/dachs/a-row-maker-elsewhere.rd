<!--
"columns.NAME.name" = "id"
-->
<resource schema="sky">
  <table id="main" onDisk="True" adql="True">
    <column name="id" type="text"/>
    <column name="ra" ucd="pos.eq.ra;meta.main" unit="deg"/>
    <column name="dec" ucd="pos.eq.dec;meta.main" unit="deg"/>
  </table>
  <rowmaker id="rm" idmaps="*">
    <map key="id" source="NAME"/>
  </rowmaker>
  <data>
    <sources>d.csv</sources>
    <csvGrammar/>
    <make table="main" rowmaker="rm"/>
  </data>
</resource>

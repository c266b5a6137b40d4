<!--
"table.layout.places" = { id = "1", ra = "1-9", dec = "10-12" }
-->
<resource schema="sky">
  <table id="main" onDisk="True" adql="True">
    <column name="id" type="text"/>
    <column name="ra" ucd="pos.eq.ra;meta.main" unit="deg"/>
    <column name="dec" ucd="pos.eq.dec;meta.main" unit="deg"/>
  </table>
  <data>
    <sources>data.txt</sources>
    <columnGrammar>
      <col key="id">1</col>
      <col key="ra">-9</col>
      <col key="dec">10-12</col>
    </columnGrammar>
    <make table="main">
      <rowmaker idmaps="*"/>
    </make>
  </data>
</resource>

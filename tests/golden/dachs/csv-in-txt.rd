<!--
"table.layout.separator" = "\t"
"table.layout.skip" = 1
-->
<resource schema="sky">
  <table id="main" onDisk="True" adql="True">
    <column name="id" type="text"/>
    <column name="ra" ucd="pos.eq.ra;meta.main" unit="deg"/>
    <column name="dec" ucd="pos.eq.dec;meta.main" unit="deg"/>
  </table>
  <data>
    <sources>data.txt</sources>
    <csvGrammar delimiter="\t"/>
    <make table="main">
      <rowmaker idmaps="*"/>
    </make>
  </data>
</resource>

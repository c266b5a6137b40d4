<!--
"table.layout.separator" = "|"
"table.layout.names" = ["id", "ra", "dec"]
-->
<resource schema="sky">
  <table id="main" onDisk="True" adql="True">
    <column name="id" type="text"/>
    <column name="ra" ucd="pos.eq.ra;meta.main" unit="deg"/>
    <column name="dec" ucd="pos.eq.dec;meta.main" unit="deg"/>
  </table>
  <data>
    <sources>data.txt</sources>
    <reGrammar fieldSep="\s*\|\s*" names="\colNames{main}"/>
    <make table="main">
      <rowmaker idmaps="*"/>
    </make>
  </data>
</resource>

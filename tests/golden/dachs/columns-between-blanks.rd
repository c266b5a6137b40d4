<!--
"table.layout" = { names = ["id", "ra", "dec"], comment = "#", skip = 1 }
"table.ra" = "ra"
-->
<resource schema="sky">
  <table id="main" onDisk="True" adql="True">
    <column name="id" type="text"/>
    <column name="ra" ucd="pos.eq.ra;meta.main" unit="deg"/>
    <column name="dec" ucd="pos.eq.dec;meta.main" unit="deg"/>
  </table>
  <data>
    <sources>data.txt</sources>
    <reGrammar topIgnoredLines="1" commentPat="(?m)^#.*$">
      <names>id,ra,dec</names>
    </reGrammar>
    <make table="main">
      <rowmaker idmaps="*"/>
    </make>
  </data>
</resource>

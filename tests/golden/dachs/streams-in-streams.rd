<!--
"columns.mag_u.description" = "Magnitude u"
-->
<resource schema="sky">
  <STREAM id="one"><column name="mag_\band" description="Magnitude \band"/></STREAM>
  <STREAM id="all"><FEED source="one" band="u"/><FEED source="%#own"/></STREAM>
  <table id="main" onDisk="True" adql="True">
    <column name="id" ucd="meta.id;meta.main"/>
    <FEED source="all"/>
  </table>
  <data id="import">
    <sources>data.csv</sources>
    <csvGrammar/>
    <make table="main"/>
  </data>
</resource>

<!--
"columns.id.unit" = "km"
"columns.id.description" = "An id"
-->
<resource schema="sky">
  <table>
    <id>main</id>
    <onDisk>true</onDisk>
    <adql>True</adql>
    <column>
      <name>id</name>
      <unit>km</unit>
      <description>An  id</description>
    </column>
  </table>
  <data id="import">
    <sources>data.csv</sources>
    <csvGrammar/>
    <make table="main">
      <rowmaker idmaps="*"/>
    </make>
  </data>
</resource>

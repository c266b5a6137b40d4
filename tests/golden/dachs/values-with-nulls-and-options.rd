<!--
lost = ["ranges and lists of values are not kept"]
covered = ["-1 is not needed for missing values: they are NULL"]
-->
<resource schema="sky">
  <table id="main" onDisk="True" adql="True">
    <column name="id" ucd="meta.id;meta.main"/>
    <column name="flag" type="integer"><values nullLiteral="-1"><option>1</option><option>2</option></values></column>
    <column name="band" type="text"><values default="V" options="B"/></column>
  </table>
  <data id="import">
    <sources>data.csv</sources>
    <csvGrammar/>
    <make table="main"/>
  </data>
</resource>

<!--
"table.source" = "new/1.csv"
lost = ["every file is taken that no pattern here excludes"]
-->
<resource schema="sky">
  <table id="main" onDisk="True" adql="True">
    <column name="id" ucd="meta.id;meta.main"/>
  </table>
  <data id="import" updating="True">
    <sources pattern="new/1.csv"><ignoreSources fromdb="SELECT file FROM sky.main"/></sources>
    <csvGrammar/>
    <make table="main"/>
  </data>
</resource>

<!--
lost = ["main has rows from several <data>: `vo publish \u002d-append` adds files with the same columns"]
-->
<resource schema="sky">
  <table id="main" onDisk="True" adql="True">
    <column name="id" ucd="meta.id;meta.main"/>
  </table>
  <data id="import">
    <sources>data.csv</sources>
    <csvGrammar/>
    <make table="main"/>
  </data>
  <data id="more"><sources>more.csv</sources><csvGrammar/><make table="main"/></data>
</resource>

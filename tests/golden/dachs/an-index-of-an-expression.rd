<!--
covered = ["positions and identifiers are indexed"]
lost = ["indexes of several columns or of expressions are not made"]
absent = ["columns.id.index"]
-->
<resource schema="sky">
  <table id="main" onDisk="True" adql="True">
    <column name="id" ucd="meta.id;meta.main"/>
    <index name="up" columns="id">upper(id)</index>
    <primary>id</primary>
  </table>
  <data id="import">
    <sources>data.csv</sources>
    <csvGrammar/>
    <make table="main"/>
  </data>
</resource>

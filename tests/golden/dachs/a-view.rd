<!--
lost = ["pair: views are published from the database: `vo publish \u002d-in-place`"]
-->
<resource schema="sky">
  <table id="main" onDisk="True" adql="True">
    <column name="id" ucd="meta.id;meta.main"/>
  </table>
  <table id="pair" onDisk="True" adql="True">
    <column original="main.id"/>
    <viewStatement>CREATE VIEW \curtable AS (SELECT \colNames FROM \schema.main)</viewStatement>
  </table>
  <data id="import">
    <sources>data.csv</sources>
    <csvGrammar/>
    <make table="main"/>
  </data>
</resource>

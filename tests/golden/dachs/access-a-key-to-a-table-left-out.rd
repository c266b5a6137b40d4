<!--
withheld = ["secret: it is closed to ADQL"]
lost = ["main: the key to sky.secret is dropped with that table"]
absent = ["keys"]
-->
<resource schema="sky">
  <table id="secret" onDisk="True" adql="False">
    <column name="id"/>
  </table>
  <table id="main" onDisk="True" adql="True">
    <column name="id"/>
    <foreignKey inTable="secret" source="id"/>
  </table>
  <data id="import_secret"><sources>secret.csv</sources><csvGrammar/><make table="secret"/></data>
  <data id="import"><sources>data.csv</sources><csvGrammar/><make table="main"/></data>
</resource>

<!--
tables = []
withheld = ["<script>: main: it changes the rows after they are loaded"]
-->
<resource schema="sky">
  <table id="main" onDisk="True" adql="True">
    <column name="id" type="text"/>
    <column name="ra" ucd="pos.eq.ra;meta.main" unit="deg"/>
    <column name="dec" ucd="pos.eq.dec;meta.main" unit="deg"/>
  </table>
  <data id="import">
    <sources>data.csv</sources>
    <csvGrammar/>
    <make table="main">
      <script lang="SQL" type="postCreation">DELETE FROM \schema.main WHERE dec&lt;0</script>
    </make>
  </data>
</resource>

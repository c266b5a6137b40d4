<!--
tables = []
withheld = ["<rowfilter>: main: its code may drop rows"]
-->
<resource schema="sky">
  <table id="main" onDisk="True" adql="True">
    <column name="id" type="text"/>
    <column name="ra" ucd="pos.eq.ra;meta.main" unit="deg"/>
    <column name="dec" ucd="pos.eq.dec;meta.main" unit="deg"/>
  </table>
  <data id="import">
    <sources>data.csv</sources>
    <csvGrammar>
      <rowfilter><code>if row["public"]=="1":
          yield row</code></rowfilter>
    </csvGrammar>
    <make table="main"/>
  </data>
</resource>

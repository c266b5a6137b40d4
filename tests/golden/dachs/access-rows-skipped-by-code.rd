<!--
tables = []
withheld = ["<apply>: main: its code drops rows"]
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
      <rowmaker idmaps="*">
        <apply name="skip"><code>if @id=="x": raise IgnoreThisRow("no")</code></apply>
      </rowmaker>
    </make>
  </data>
</resource>

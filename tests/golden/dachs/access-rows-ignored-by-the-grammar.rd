<!--
tables = []
withheld = ["<ignoreOn>: main: it drops rows"]
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
      <ignoreOn><keyIs key="public" value="0"/></ignoreOn>
    </csvGrammar>
    <make table="main"/>
  </data>
</resource>

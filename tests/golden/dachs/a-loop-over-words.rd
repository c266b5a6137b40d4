<!--
"columns.magB.description" = "In B"
"columns.magV.unit" = "mag"
-->
<resource schema="sky">
  <table id="main" onDisk="True" adql="True">
    <column name="id" type="text"/>
    <column name="ra" ucd="pos.eq.ra;meta.main" unit="deg"/>
    <column name="dec" ucd="pos.eq.dec;meta.main" unit="deg"/>
    <LOOP listItems="B V">
      <events>
        <column name="mag\item" unit="mag" description="In \item"/>
      </events>
    </LOOP>
  </table>
  <data id="import">
    <sources>data.csv</sources>
    <csvGrammar/>
    <make table="main">
      <rowmaker idmaps="*"/>
    </make>
  </data>
</resource>

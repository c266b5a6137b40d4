<!--
lost = ["run `bin/mend` yourself", "convert it with iconv", "rows are taken as they stand"]
-->
<resource schema="sky">
  <table id="main" onDisk="True" adql="True">
    <column name="id" type="text"/>
    <column name="ra" ucd="pos.eq.ra;meta.main" unit="deg"/>
    <column name="dec" ucd="pos.eq.dec;meta.main" unit="deg"/>
  </table>
  <data>
    <sources>d.csv</sources>
    <csvGrammar preFilter="bin/mend" enc="latin1">
      <rowfilter procDef="//products#define"><bind key="table">"sky.main"</bind></rowfilter>
    </csvGrammar>
    <make table="main">
      <rowmaker idmaps="*"/>
    </make>
  </data>
</resource>

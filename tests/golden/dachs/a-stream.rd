<!--
"columns.V.description" = "V of stars"
-->
<resource schema="sky">
  <STREAM id="mags">
    <doc>Some</doc>
    <DEFAULTS of="stars"/>
    <column name="\band" description="\band of \of"/>
  </STREAM>
  <table id="main" onDisk="True" adql="True">
    <column name="id" type="text"/>
    <column name="ra" ucd="pos.eq.ra;meta.main" unit="deg"/>
    <column name="dec" ucd="pos.eq.dec;meta.main" unit="deg"/>
    <FEED source="mags" band="V"/>
  </table>
  <data id="import">
    <sources>data.csv</sources>
    <csvGrammar/>
    <make table="main">
      <rowmaker idmaps="*"/>
    </make>
  </data>
</resource>

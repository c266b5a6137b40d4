<!--
"table.dec" = "dec"
-->
<resource schema="sky">
  <table id="main" onDisk="True" adql="True" mixin="//scs#q3cindex">
    <column name="id" type="text"/>
    <column name="ra" ucd="pos.eq.ra;meta.main" unit="deg"/>
    <column name="dec" ucd="pos.eq.dec;meta.main" unit="deg"/>
    <mixin>//scs#pgs-pos-index</mixin>
  </table>
  <data id="import">
    <sources>data.csv</sources>
    <csvGrammar/>
    <make table="main">
      <rowmaker idmaps="*"/>
    </make>
  </data>
</resource>

<!--
lost = ["it copies //obscore#ObsCore.s_ra, which is neither in this descriptor nor in one beside it"]
-->
<resource schema="sky">
  <table id="main" onDisk="True" adql="True">
    <column name="id" type="text"/>
    <column name="ra" ucd="pos.eq.ra;meta.main" unit="deg"/>
    <column name="dec" ucd="pos.eq.dec;meta.main" unit="deg"/>
    <column original="//obscore#ObsCore.s_ra"/>
  </table>
  <data id="import">
    <sources>data.csv</sources>
    <csvGrammar/>
    <make table="main">
      <rowmaker idmaps="*"/>
    </make>
  </data>
</resource>

<!--
"columns.f_V.unit" = "Jy"
"columns.f_B.unit" = "Jy"
-->
<resource schema="sky">
  <mixinDef id="flux">
    <mixinPar name="band">V</mixinPar>
    <events>
      <column name="f_\band" unit="Jy"/>
    </events>
  </mixinDef>
  <table id="main" onDisk="True" adql="True" mixin="flux">
    <column name="id" type="text"/>
    <column name="ra" ucd="pos.eq.ra;meta.main" unit="deg"/>
    <column name="dec" ucd="pos.eq.dec;meta.main" unit="deg"/>
    <mixin band="B">flux</mixin>
  </table>
  <data id="import">
    <sources>data.csv</sources>
    <csvGrammar/>
    <make table="main">
      <rowmaker idmaps="*"/>
    </make>
  </data>
</resource>

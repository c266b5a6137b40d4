<!--
"columns.flux.unit" = "photon.s**-1.cm**-2"
"columns.flux.ucd" = "phot.flux"
"columns.flux.utype" = "a:b"
"columns.flux.description" = "Flux"
-->
<resource schema="sky">
  <table id="main" onDisk="True" adql="True">
    <column name="id" type="text"/>
    <column name="ra" ucd="pos.eq.ra;meta.main" unit="deg"/>
    <column name="dec" ucd="pos.eq.dec;meta.main" unit="deg"/>
    <column name="flux" unit="ph cm-2 s-1" ucd="phot.flux" utype="a:b" tablehead="Flux"/>
  </table>
  <data id="import">
    <sources>data.csv</sources>
    <csvGrammar/>
    <make table="main">
      <rowmaker idmaps="*"/>
    </make>
  </data>
</resource>

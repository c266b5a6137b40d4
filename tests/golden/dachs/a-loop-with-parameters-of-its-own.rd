<!--
"columns.B_flux.description" = "Flux in B, of stars"
"columns.V_flux.unit" = "Jy"
-->
<resource schema="sky">
  <table id="main" onDisk="True" adql="True">
    <column name="id" ucd="meta.id;meta.main"/>
    <LOOP listItems="B V" what="stars">
      <events><column name="\item\+_flux" unit="Jy" description="Flux in \item, of \what"/></events>
    </LOOP>
  </table>
  <data id="import">
    <sources>data.csv</sources>
    <csvGrammar/>
    <make table="main"/>
  </data>
</resource>

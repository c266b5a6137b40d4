<!--
"resource.instrument" = ["LAT"]
"resource.facility" = ["Fermi"]
"resource.waveband" = ["Gamma-ray"]
"resource.type" = ["Survey"]
-->
<resource schema="sky">
  <meta name="instrument">LAT</meta>
  <meta name="facility">Fermi</meta>
  <meta name="coverage">
    <meta name="waveband">Gamma-ray</meta>
  </meta>
  <meta name="contentLevel">Research</meta>
  <meta name="content.type">Survey</meta>
  <table id="main" onDisk="True" adql="True">
    <column name="id" type="text"/>
    <column name="ra" ucd="pos.eq.ra;meta.main" unit="deg"/>
    <column name="dec" ucd="pos.eq.dec;meta.main" unit="deg"/>
  </table>
  <data id="import">
    <sources>data.csv</sources>
    <csvGrammar/>
    <make table="main">
      <rowmaker idmaps="*"/>
    </make>
  </data>
</resource>

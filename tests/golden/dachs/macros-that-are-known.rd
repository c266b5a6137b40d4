<!--
"resource.title" = "Of us"
"resource.description" = "Of us, sky, q"
-->
<resource schema="sky">
  <macDef name="who">us</macDef>
  <meta name="title">Of \who</meta>
  <meta name="description">\metaString{title}, \schema, \rdId</meta>
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

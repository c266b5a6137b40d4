<!--
"resource.title" = "Stars of nobody"
-->
<resource schema="sky">
  <meta name="title">Stars of \metaString{owner}{nobody}</meta>
  <table id="main" onDisk="True" adql="True">
    <column name="id" ucd="meta.id;meta.main"/>
  </table>
  <data id="import">
    <sources>data.csv</sources>
    <csvGrammar/>
    <make table="main"/>
  </data>
</resource>

<!--
"resource.source" = "2003SPIE.4853..341S"
lost = ["there is one source only, 2003SPIE.4853..341S; this is another: 2026A&A...705A..55S"]
-->
<resource schema="sky">
  <meta name="source">2003SPIE.4853..341S
    2026A&amp;A...705A..55S</meta>
  <table id="main" onDisk="True" adql="True">
    <column name="id" ucd="meta.id;meta.main"/>
  </table>
  <data id="import">
    <sources>data.csv</sources>
    <csvGrammar/>
    <make table="main"/>
  </data>
</resource>

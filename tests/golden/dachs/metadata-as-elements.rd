<!--
"resource.title" = "A sky survey"
"resource.description" = "One.\n\nTwo lines."
"resource.subjects" = ["stars", "galaxies"]
-->
<resource schema="sky">
  <meta name="title">A  sky
 survey</meta>
  <meta name="description">One.

  Two
  lines.</meta>
  <meta name="subject">stars, galaxies</meta>
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

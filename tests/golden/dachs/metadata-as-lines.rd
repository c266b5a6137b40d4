<!--
"resource.title" = "Sky"
"resource.subjects" = ["stars", "neutrinos"]
"resource.description" = "It goes on."
-->
<resource schema="sky">
  <meta>title: Sky
subject: stars
subject: neutrinos
description: It goes \
  on.
</meta>
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

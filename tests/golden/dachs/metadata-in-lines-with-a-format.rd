<!--
"resource.description" = "Written as text."
"resource.creators" = ["Doe, J."]
-->
<resource schema="sky">
  <meta>
    # a comment
    !description: rst:Written as text.
    creator.name: Doe, J.
  </meta>
  <table id="main" onDisk="True" adql="True">
    <column name="id" ucd="meta.id;meta.main"/>
  </table>
  <data id="import">
    <sources>data.csv</sources>
    <csvGrammar/>
    <make table="main"/>
  </data>
</resource>

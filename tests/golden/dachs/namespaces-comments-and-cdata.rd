<!--
"resource.title" = "A & B"
-->
<resource schema="sky">
  <!-- a comment -->
  <meta name="title"><![CDATA[A & B]]></meta>
  <?odd thing?>
  <table id="main" onDisk="True" adql="True">
    <column name="id" ucd="meta.id;meta.main"/>
  </table>
  <data id="import">
    <sources>data.csv</sources>
    <csvGrammar/>
    <make table="main"/>
  </data>
</resource>

<!--
"resource.short_name" = "sky cone"
"resource.reference_url" = "https://example.org/sky"
-->
<resource schema="sky">
  <meta name="shortName">sky cone</meta>
  <meta name="referenceURL">https://example.org/sky</meta>
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

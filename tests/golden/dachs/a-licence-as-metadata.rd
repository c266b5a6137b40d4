<!--
"resource.rights" = "CC BY 4.0"
"resource.rights_uri" = "https://creativecommons.org/licenses/by/4.0/"
-->
<resource schema="sky">
  <meta name="rights">CC BY 4.0</meta>
  <meta name="rights.rightsURI">https://creativecommons.org/licenses/by/4.0/</meta>
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

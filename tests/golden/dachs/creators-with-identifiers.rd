<!--
"resource.creators" = [{ name = "Abbasi, R.", orcid = "0000-0001-6141-4205" }, "Other, A."]
-->
<resource schema="sky">
  <meta name="creator">
    <meta name="name">Abbasi, R.</meta>
    <meta name="altIdentifier">https://orcid.org/0000-0001-6141-4205</meta>
  </meta>
  <meta name="creator.name">Other, A.</meta>
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

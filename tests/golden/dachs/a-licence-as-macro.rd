<!--
"resource.rights" = "CC BY-SA 3.0"
"resource.rights_uri" = "https://creativecommons.org/licenses/by-sa/3.0/"
lost = ["the licence is written as CC BY-SA 3.0, which DaCHS states up to 2.7"]
-->
<resource schema="sky">
  <meta name="copyright">\RSTccbysa{the sky}</meta>
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

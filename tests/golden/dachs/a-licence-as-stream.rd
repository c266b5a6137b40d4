<!--
"resource.rights" = "CC0 1.0"
"resource.rights_uri" = "https://creativecommons.org/publicdomain/zero/1.0/"
-->
<resource schema="sky">
  <FEED source="//procs#license-cc0" what="the sky"/>
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

<!--
"table.source" = "cat.fits"
"table.part" = "table2"
absent = ["table.layout"]
lost = ["hdu=2: if that extension has an EXTNAME, write it as part"]
-->
<resource schema="sky">
  <table id="main" onDisk="True" adql="True">
    <column name="id" type="text"/>
    <column name="ra" ucd="pos.eq.ra;meta.main" unit="deg"/>
    <column name="dec" ucd="pos.eq.dec;meta.main" unit="deg"/>
  </table>
  <data>
    <sources>cat.fits</sources>
    <fitsTableGrammar hdu="2"/>
    <make table="main">
      <rowmaker idmaps="*"/>
    </make>
  </data>
</resource>

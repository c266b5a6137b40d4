<!--
"table.layout.places" = { id = "1-5", ra = "6-10", dec = "11-" }
"table.layout.comment" = "!"
-->
<resource schema="sky">
  <table id="main" onDisk="True" adql="True">
    <column name="id" type="text"/>
    <column name="ra" ucd="pos.eq.ra;meta.main" unit="deg"/>
    <column name="dec" ucd="pos.eq.dec;meta.main" unit="deg"/>
  </table>
  <data>
    <sources>data.txt</sources>
    <columnGrammar commentIntroducer="!">
      <colDefs>id: 1-5 ra :6 - 10
 dec:11-</colDefs>
    </columnGrammar>
    <make table="main">
      <rowmaker idmaps="*"/>
    </make>
  </data>
</resource>

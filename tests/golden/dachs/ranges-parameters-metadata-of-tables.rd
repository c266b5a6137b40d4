<!--
lost = ["ranges and lists of values are not kept", "p: tables have no parameters", "tables have no such metadata"]
-->
<resource schema="sky">
  <table id="main" onDisk="True" adql="True">
    <column name="id" type="text"/>
    <column name="ra" ucd="pos.eq.ra;meta.main" unit="deg"/>
    <column name="dec" ucd="pos.eq.dec;meta.main" unit="deg"/>
    <column name="x">
      <values min="1" max="3"/>
    </column>
    <param name="p">1</param>
    <meta name="source">x</meta>
  </table>
  <data id="import">
    <sources>data.csv</sources>
    <csvGrammar/>
    <make table="main">
      <rowmaker idmaps="*"/>
    </make>
  </data>
</resource>

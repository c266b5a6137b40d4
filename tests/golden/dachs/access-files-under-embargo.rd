<!--
tables = []
withheld = ["its files have an embargo: @date"]
-->
<resource schema="sky">
  <table id="main" onDisk="True" adql="True" mixin="//siap#pgs">
    <column name="id" type="text"/>
    <column name="ra" ucd="pos.eq.ra;meta.main" unit="deg"/>
    <column name="dec" ucd="pos.eq.dec;meta.main" unit="deg"/>
  </table>
  <data id="import">
    <sources>data.csv</sources>
    <fitsProdGrammar>
      <rowfilter procDef="//products#define"><bind name="embargo">@date</bind></rowfilter>
    </fitsProdGrammar>
    <make table="main"/>
  </data>
</resource>

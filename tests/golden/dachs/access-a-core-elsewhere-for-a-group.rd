<!--
tables = []
withheld = ["is open to team only"]
-->
<resource schema="sky">
  <table id="main" onDisk="True" adql="True">
    <column name="id" type="text"/>
    <column name="ra" ucd="pos.eq.ra;meta.main" unit="deg"/>
    <column name="dec" ucd="pos.eq.dec;meta.main" unit="deg"/>
  </table>
  <data id="import">
    <sources>data.csv</sources>
    <csvGrammar/>
    <make table="main"/>
  </data>
  <dbCore id="c" queriedTable="main"/>
  <service id="s" core="c"><limitTo>team</limitTo></service>
</resource>

<!--
lost = ["use cron or a systemd timer", "<odd>: there is no place for it"]
covered = ["`vo selftest URL`"]
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
    <make table="main">
      <rowmaker idmaps="*"/>
    </make>
  </data>
  <execute title="a" every="100">
    <job/>
  </execute>
  <regSuite title="a"/>
  <coverage>
    <spatial>0/1</spatial>
  </coverage>
  <odd/>
</resource>

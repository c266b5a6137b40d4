<!--
lost = ["<pythonCore> computes", "<customCore> computes"]
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
  <service id="s">
    <pythonCore>
      <coreProc><code>return None</code></coreProc>
    </pythonCore>
  </service>
  <customCore id="c" module="res/core"/>
  <service id="t" core="c"/>
</resource>

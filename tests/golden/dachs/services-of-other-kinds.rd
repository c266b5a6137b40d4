<!--
lost = ["siap.xml: image searches", "spectra are found", "SODA answers", "files beside a descriptor", "there is no such renderer"]
covered = ["gets a record", "all columns are given"]
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
  <service id="s" allowed="siap.xml,ssap.xml,dlget,static,odd">
    <dbCore queriedTable="main"/>
    <publish render="form" sets="local"/>
    <outputTable/>
  </service>
</resource>

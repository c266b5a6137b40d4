<!--
tables = []
withheld = ["no published service shows all of it"]
-->
<resource schema="sky">
  <table id="main" onDisk="True">
    <column name="id" type="text"/>
    <column name="ra" ucd="pos.eq.ra;meta.main" unit="deg"/>
    <column name="dec" ucd="pos.eq.dec;meta.main" unit="deg"/>
  </table>
  <data id="import">
    <sources>data.csv</sources>
    <csvGrammar/>
    <make table="main"/>
  </data>
  <service id="cone" allowed="scs.xml,form">
    <dbCore queriedTable="main"/>
    <outputTable autoCols="id,ra,dec"/>
    <publish render="scs.xml" sets="ivo_managed"/>
  </service>
</resource>

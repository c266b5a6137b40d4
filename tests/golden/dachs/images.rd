<!--
tables = []
collections = ["sky images"]
"sky images|collection|source" = "raw"
"sky images|resource|title" = "Images of the sky"
"sky images|values" = { instrument_name = "Wide camera", facility_name = "Hill", calib_level = 2, o_ucd = "phot.count" }
lost = ["dec: images have the columns of ObsCore only", "targetName is the SQL object", "siap.xml: image searches find"]
covered = ["main: `vo publish-images` finds the images of the collection sky images itself"]
-->
<resource schema="sky">
  <meta name="title">Images of the sky</meta>
  <meta name="facility">Hill</meta>
  <table id="main" onDisk="True" adql="True" mixin="//siap#pgs">
    <mixin calibLevel="2" targetName="object" oUCD="'phot.count'">
      <collectionName>'sky images'</collectionName>
      <instrument_name>'Wide camera'</instrument_name>//obscore#publishSIAP</mixin>
    <column name="dec" ucd="pos.eq.dec"/>
  </table>
  <data id="import">
    <sources pattern="raw/*.fits" recurse="True"/>
    <fitsProdGrammar qnd="True">
      <rowfilter procDef="//products#define">
        <bind key="table">"\schema.main"</bind>
      </rowfilter>
    </fitsProdGrammar>
    <make table="main">
      <rowmaker>
        <apply procDef="//siap#setMeta"/>
        <apply procDef="//siap#computePGS"/>
      </rowmaker>
    </make>
  </data>
  <service id="i" allowed="siap.xml">
    <dbCore queriedTable="main"/>
  </service>
</resource>

<!--
lost = ["nothing says which columns of main are right ascension"]
-->
<resource schema="sky">
  <table id="main" onDisk="True" adql="True">
    <column name="id"/>
  </table>
  <data id="import">
    <sources>data.csv</sources>
    <csvGrammar/>
    <make table="main">
      <rowmaker idmaps="*"/>
    </make>
  </data>
  <service id="c" allowed="scs.xml">
    <scsCore queriedTable="main"/>
  </service>
</resource>

<!--
absent = ["columns.path"]
lost = ["path is computed by Python: \\inputRelativePath", "<map>: kind is \"star\" in all rows"]
-->
<resource schema="sky">
  <table id="main" onDisk="True" adql="True">
    <column name="id" ucd="meta.id;meta.main"/>
    <column name="path"/>
    <column name="kind"/>
  </table>
  <data id="import">
    <sources>data.csv</sources>
    <csvGrammar/>
    <make table="main">
      <rowmaker idmaps="id">
        <map key="path">\inputRelativePath{True}</map>
        <map key="kind">"star"</map>
      </rowmaker>
    </make>
  </data>
</resource>

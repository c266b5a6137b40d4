<!--
"columns.RAJ.name" = "ra"
-->
<resource schema="sky">
  <table id="main" onDisk="True" adql="True">
    <column name="id" ucd="meta.id;meta.main"/>
    <column name="ra"/>
  </table>
  <data id="import">
    <sources>data.csv</sources>
    <csvGrammar/>
    <make table="main">
      <rowmaker idmaps="*">
        <var key="alpha">float(@RAJ)</var>
        <map key="ra">@alpha</map>
      </rowmaker>
    </make>
  </data>
</resource>

<!--
tables = ["main", "more"]
lost = ["phot:Mag: a group within it stands beside it", "errors: V is in the group phot:Mag already"]
"tables.0.groups.0.name" = "phot:Mag"
"tables.0.groups.0.columns" = ["V"]
"tables.0.groups.1.name" = "errors"
"tables.0.groups.1.columns" = ["e_v"]
"tables.1.groups.0.name" = "group1"
"tables.1.groups.0.columns" = ["a", "b"]
-->
<resource schema="sky">
  <table id="main" onDisk="True" adql="True">
    <column name="V"/>
    <column name="e_v"/>
    <group utype="phot:Mag">
      <columnRef key="V"/>
      <group name="errors"><columnRef key="e_v"/><columnRef key="V"/></group>
    </group>
    <group name="nothing"/>
  </table>
  <table id="more" onDisk="True" adql="True">
    <column name="a"/>
    <column name="b"/>
    <group><columnRef key="a"/><columnRef key="b"/><columnRef key="a"/></group>
  </table>
  <data id="import">
    <sources>data.csv</sources>
    <csvGrammar/>
    <make table="main"/>
  </data>
  <data id="second">
    <sources>more.csv</sources>
    <csvGrammar/>
    <make table="more"/>
  </data>
</resource>

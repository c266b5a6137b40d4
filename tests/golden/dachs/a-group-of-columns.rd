<!--
lost = ["place: the column ra_pm is not published", "place: groups have no ucd", "place: tables have no parameters"]
"table.groups.0.name" = "place"
"table.groups.0.columns" = ["ra", "dec"]
"table.groups.0.description" = "Where it was seen"
-->
<resource schema="sky">
  <table id="main" onDisk="True" adql="True">
    <group name="place" ucd="pos.eq">
      <description>Where it
        was seen</description>
      <columnRef key="ra"/>
      <columnRef dest="dec"/>
      <columnRef key="ra_pm"/>
      <param name="equinox">J2000</param>
    </group>
    <column name="id" ucd="meta.id;meta.main"/>
    <column name="ra" unit="deg" ucd="pos.eq.ra;meta.main"/>
    <column name="dec" unit="deg" ucd="pos.eq.dec;meta.main"/>
  </table>
  <data id="import">
    <sources>data.csv</sources>
    <csvGrammar/>
    <make table="main"/>
  </data>
</resource>

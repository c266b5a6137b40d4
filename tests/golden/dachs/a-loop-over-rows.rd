<!--
"columns.m_u.description" = "near UV"
"columns.m_g.description" = "green"
-->
<resource schema="sky">
  <table id="main" onDisk="True" adql="True">
    <column name="id" type="text"/>
    <column name="ra" ucd="pos.eq.ra;meta.main" unit="deg"/>
    <column name="dec" ucd="pos.eq.dec;meta.main" unit="deg"/>
    <LOOP>
      <csvItems>
  band,what
  u, near UV
  g, green
</csvItems>
      <events>
        <column name="m_\band" description="\what"/>
      </events>
    </LOOP>
  </table>
  <data id="import">
    <sources>data.csv</sources>
    <csvGrammar/>
    <make table="main">
      <rowmaker idmaps="*"/>
    </make>
  </data>
</resource>

<!--
absent = ["table.ra"]
lost = ["ra is computed by Python: hmsToDeg", "dec is computed by Python: float(@y)/15", "it computes with rows"]
-->
<resource schema="sky">
  <table id="main" onDisk="True" adql="True">
    <column name="id" type="text"/>
    <column name="ra" ucd="pos.eq.ra;meta.main" unit="deg"/>
    <column name="dec" ucd="pos.eq.dec;meta.main" unit="deg"/>
  </table>
  <data>
    <sources pattern="data.csv"/>
    <csvGrammar/>
    <make table="main">
      <rowmaker idmaps="*">
        <var key="x">float(@y)/15</var>
        <map dest="ra">hmsToDeg(@RA, ":")</map>
        <map key="dec">@x</map>
        <apply procDef="//siap#setMeta"/>
      </rowmaker>
    </make>
  </data>
</resource>

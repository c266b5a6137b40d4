<!--
absent = ["table.nulls"]
lost = ["0 would be a missing value in this column only", "-1 would be"]
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
        <map dest="ra">parseWithNull(@ra, float, "-1")</map>
        <map key="dec" nullExpr="0">@dec</map>
      </rowmaker>
    </make>
  </data>
</resource>

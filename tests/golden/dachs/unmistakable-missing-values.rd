<!--
"table.nulls" = ["-999.9", "N/A"]
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
        <map dest="ra">parseWithNull(@ra, float, "-999.9")</map>
        <map dest="dec">parseWithNull(@dec, float, "N/A")</map>
      </rowmaker>
    </make>
  </data>
</resource>

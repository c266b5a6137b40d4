<!--
tables = []
lost = ["<resource>: it makes no table", "<pythonCore> computes its answers"]
-->
<resource schema="sky">
  <service id="s" allowed="form"><pythonCore/></service>
</resource>

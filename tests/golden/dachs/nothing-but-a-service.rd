<!--
tables = []
lost = ["<resource>: it makes no table", "<pythonCore> computes its answers"]
-->
<resource schema="sky">
  <service id="s" allowed="form"><pythonCore><coreProc><code>return None</code></coreProc></pythonCore></service>
</resource>

<!--
error = "line 6: q#aa feeds itself."
-->
<resource schema="sky">
  <STREAM id="aa"><FEED source="bb"/></STREAM>
  <STREAM id="bb"><FEED source="aa"/></STREAM>
  <FEED source="aa"/>
</resource>

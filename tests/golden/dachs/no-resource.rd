<!--
error = "line 4: the root is <dataset>, not <resource>."
-->
<dataset/>

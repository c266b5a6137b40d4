<!--
"resource.title" = "Catalogue of nearby stars"
"resource.creators" = ["Doe, J.", "Roe, R.", { name = "Poe, E.", orcid = "0000-0001-6141-4205" }]
"resource.subjects" = ["nearby-stars", "proper-motions"]
"resource.source" = "2023ApJS..269...25A"
"resource.short_name" = "near stars"
"resource.waveband" = ["Optical"]
"resource.rights_uri" = "https://creativecommons.org/publicdomain/zero/1.0/"
"resource.description" = "Stars within 10 pc.\n\nMade from Catalogue of nearby stars, in the schema near."
"table.source" = "data/near.txt.gz"
"table.layout" = { names = ["hip", "ra", "dec", "vmag", "e_vmag", "bmag", "e_bmag"], separator = "|", comment = "#", skip = 2 }
"table.ra" = "ra"
"table.dec" = "dec"
"table.frames" = [{ epoch = "J2015.5" }]
"columns.hip" = { ucd = "meta.id;meta.main", description = "Number in the Hipparcos catalogue Note: Empty for white dwarfs." }
"columns.vmag" = { unit = "mag", ucd = "phot.mag;em.opt.V", description = "Magnitude in V" }
"columns.bmag" = { unit = "mag", ucd = "phot.mag;em.opt.B", description = "Magnitude in B" }
"columns.e_bmag" = { unit = "mag", ucd = "stat.error;phot.mag;em.opt.B", description = "Error of bmag" }
"table.groups" = [{ name = "place", columns = ["ra", "dec"] }]
lost = ["colour: no column of the file goes into it"]
covered = ["scs.xml: main gets a cone search", "coverage.profile", "creationDate"]
-->
<resource schema="near" resdir=".">
  <meta name="creationDate">2024-03-05T12:00:00Z</meta>
  <meta name="title">Catalogue of nearby stars</meta>
  <meta name="description" format="rst">
    Stars within 10 pc.

    Made from \metaString{title}, in the schema \schema.
  </meta>
  <meta name="creator">Doe, J.; Roe, R.</meta>
  <meta name="creator"><meta name="name">Poe, E.</meta><meta name="altIdentifier">0000-0001-6141-4205</meta></meta>
  <meta name="subject">nearby-stars</meta>
  <meta name="subject">proper-motions</meta>
  <meta name="source">2023ApJS..269...25A</meta>
  <meta name="coverage"><meta name="profile">AllSky ICRS</meta><meta name="waveband">Optical</meta></meta>
  <FEED source="//procs#license-cc0" what="the catalogue"/>

  <STREAM id="phot">
    <doc>A magnitude and its error.</doc>
    <DEFAULTS system="Johnson"/>
    <column name="\band\+mag" unit="mag" ucd="phot.mag;\em" description="Magnitude in \upper{\band}" verbLevel="1"/>
    <column name="e_\band\+mag" unit="mag" ucd="stat.error;phot.mag;\em" description="Error of \band\+mag" verbLevel="25"/>
  </STREAM>

  <table id="main" onDisk="True" adql="True" mixin="//scs#pgs-pos-index" primary="hip">
    <stc>Position ICRS Epoch J2015.5 "ra" "dec"</stc>
    <group name="place"><columnRef key="ra"/><columnRef key="dec"/></group>
    <meta name="note" tag="wd">Empty for white dwarfs.</meta>
    <column name="hip" type="integer" ucd="meta.id;meta.main" required="True" note="wd"
      tablehead="HIP" description="Number in the Hipparcos catalogue"/>
    <column name="ra" type="double precision" unit="deg" ucd="pos.eq.ra;meta.main" displayHint="sf=7"/>
    <column name="dec" type="double precision" unit="deg" ucd="pos.eq.dec;meta.main" displayHint="sf=7"/>
    <FEED source="phot" band="v" em="em.opt.V"><EDIT ref="column[vmag]" description="Magnitude in V"/></FEED>
    <FEED source="phot" band="b" em="em.opt.B"/>
    <column name="colour" unit="mag"/>
  </table>

  <data id="import">
    <sources pattern="data/near.txt.gz"/>
    <reGrammar fieldSep="\|" commentPat="(?m)^#.*$" topIgnoredLines="2" preFilter="zcat"
      names="hip, ra, dec, vmag, e_vmag, bmag, e_bmag"/>
    <make table="main"><rowmaker idmaps="*"/></make>
  </data>

  <service id="cone" allowed="scs.xml,form">
    <meta name="shortName">near stars</meta>
    <meta name="testQuery"><meta name="ra">217.4</meta><meta name="dec">-62.7</meta><meta name="sr">1</meta></meta>
    <scsCore queriedTable="main"><FEED source="//scs#coreDescs"/></scsCore>
    <publish render="scs.xml" sets="ivo_managed"/>
    <publish render="form" sets="local,ivo_managed"/>
  </service>

  <regSuite title="near regression">
    <regTest title="cone finds Proxima"><url RA="217.4" DEC="-62.7" SR="0.5">cone/scs.xml</url><code>self.assertHasStrings("70890")</code></regTest>
  </regSuite>
</resource>

"""The order of the packages, top to bottom: a package may import those below its line, never above, never a neighbour on its line.

Read by ``tests/unit/test_layers.py``; a new package or module without a place here fails the test.
"""

LAYERS: tuple[tuple[str, ...], ...] = (
    ("vo_server.cli",),  # the operator
    ("vo_server.demo", "vo_server.selftest", "vo_server.dachs"),  # real data to begin with | a site tried | other servers' descriptors
    ("vo_server.app",),  # composition root: every pool, every route
    ("vo_server.openapi",),  # what is routed, described for tools
    ("vo_server.protocols", "vo_registry.oai", "vo_server.web"),  # the standards | the publishing registry | pages for people
    ("vo_server.services",),  # what is open: pools, catalogue, jobs, clock
    ("vo_server.http",),  # the HTTP kit
    ("vo_server.observations",),  # files of observations → datasets, and the tables that belong to them
    ("vo_server.query", "vo_server.jobs", "vo_server.publish", "vo_server.cutout"),  # use cases, no HTTP
    ("vo_server.db",),  # the only door to PostgreSQL
    ("vo_registry.oai_pmh", "vo_registry.enrolment"),  # arguments → records → OAI-PMH documents | what others look at in them
    ("vo_registry.subjects",),  # what resources are about: the thesaurus
    ("vo_registry.records",),  # the registry's records: model→XML too, made of documents' elements
    ("vo_server.sql", "vo_server.documents", "vo_server.formats"),  # tree→SQL | model→XML | batches→bytes, files→batches
    ("vo_server.adql", "vo_server.dali", "vo_server.sky"),  # text→tree | text→values | positions and regions→HEALPix ranges
    ("vo_server.model",),  # vocabulary: frozen dataclasses, and tables that standards fix
    ("vo_server.settings",),
    ("vo_server.errors", "vo_server.logs"),  # what can go wrong | is logged
    ("vo_server.scratch", "vo_server.libraries", "vo_server.layers"),  # is temporary | is large
)

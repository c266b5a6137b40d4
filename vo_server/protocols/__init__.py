"""The standards, one file each: STANDARD_ID, Request, routes(services), capability(...), and only what its standard alone requires."""

"""The standards, one file each. A file holds STANDARD_ID, Request, routes(services) and capability(...), and only what its standard alone requires."""

"""The publishing registry: records of what is served here, and OAI-PMH for those who harvest them."""

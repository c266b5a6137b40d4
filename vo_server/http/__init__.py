"""The HTTP kit: parameters in, replies and errors out. What every protocol needs and none should write again."""

"""Running a query: translated, started, written, without HTTP."""

"""Resolved tree → SQL for PostgreSQL 14 and later. Nothing here opens a connection."""

from vo_server.sql.compiler import compile_adql, parse_adql
from vo_server.sql.functions import function_definitions
from vo_server.sql.queries import translate

__all__ = ["compile_adql", "function_definitions", "parse_adql", "translate"]

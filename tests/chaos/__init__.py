"""Chaos: jobs and streams on a whole site whose programs and connections are ended at random, and what must hold afterwards.

``python -m tests.chaos --help`` runs it at any size; ``tests/acceptance/test_chaos.py`` runs it small.
"""

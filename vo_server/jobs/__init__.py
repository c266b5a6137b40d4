"""Asynchronous jobs (UWS 1.1), without HTTP and without knowing what they do.

``store`` changes their rows, always together with the queue's; ``worker`` runs them; ``keeper`` finds what dead workers left behind
and destroys what is due; ``results`` holds what they wrote; ``changes`` tells who waits.
"""

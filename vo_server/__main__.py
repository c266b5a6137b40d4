"""``python -m vo_server`` is ``vo``."""

from vo_server.cli import main

main()

"""``python -m vo_server`` is ``vo``."""

from vo_server.cli import main

if __name__ == "__main__":
    main()

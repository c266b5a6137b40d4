"""Run the pages that show a session, and write what their commands print now: ``python docs/transcripts.py``.

A page's ``python`` blocks are files (their first comment names them), the commands of its ``console`` blocks run in one folder, those of
``console server`` blocks until the end; ``console stilts`` blocks are passed over where there is no STILTS.
"""  # noqa: INP001 a script, not a package

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = ("docs/tutorial/first-service.md",)
BLOCK = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
SHOWN_PORT = "8000"
SHOWN_HOME = "/home/you"
LONGEST_S = 300


class Terminal:
    """Commands in one folder, with this Python's programs; the port that the page shows is another one here."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = str(probe.getsockname()[1])
        kept = {key: value for key, value in os.environ.items() if not key.startswith("VO_")}
        path = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
        self.environment = {**kept, "VO_PORT": self.port, "PATH": path, "PYTHONWARNINGS": "ignore", "COLUMNS": "140"}
        self.servers: list[subprocess.Popen[str]] = []

    def write(self, name: str, text: str) -> None:
        """Make a file."""
        (self.folder / name).write_text(text.replace(SHOWN_PORT, self.port), encoding="utf-8")

    def run(self, command: str) -> str:
        """What a command prints; RuntimeError if it fails."""
        done = subprocess.run(  # noqa: S602 the pages are ours
            command.replace(SHOWN_PORT, self.port),
            shell=True,
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LONGEST_S,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{command} failed:\n{done.stdout}")
        return self._as_shown(done.stdout)

    def serve(self, command: str) -> str:
        """Start a server; its first line."""
        server = subprocess.Popen(  # noqa: S602
            f"exec {command}", shell=True, cwd=self.folder, env=self.environment, stdout=subprocess.PIPE, text=True
        )
        self.servers.append(server)
        return self._as_shown(first_line(server))

    def close(self) -> None:
        """End the servers."""
        for server in self.servers:
            server.send_signal(signal.SIGINT)
            server.communicate(timeout=60)

    def _as_shown(self, text: str) -> str:
        return text.replace(self.port, SHOWN_PORT).replace(str(self.folder), SHOWN_HOME)


def first_line(server: "subprocess.Popen[str]") -> str:
    """What a server says when it is ready."""
    return server.stdout.readline() if server.stdout is not None else ""


@contextmanager
def terminal() -> Iterator[Terminal]:
    """A terminal in a folder that goes away."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # as a home is: PostgreSQL's account must reach it
        opened = Terminal(Path(folder))
        try:
            yield opened
        finally:
            opened.close()


def rerun(text: str) -> str:
    """The page with what its commands print now."""
    with terminal() as opened:

        def again(found: re.Match[str]) -> str:
            language, words, block = found.groups()
            if language == "python" and (name := re.search(r"# (\w+\.py)", block)):
                opened.write(name[1], block)
            if language != "console" or ("stilts" in words and shutil.which("stilts") is None):
                return found[0]
            ask = opened.serve if "server" in words else opened.run
            said = "".join(f"$ {command}\n{tidy(ask(command))}" for command in re.findall(r"^\$ (.*)$", block, flags=re.MULTILINE))
            return f"```{language}{words}\n{said}```"

        return BLOCK.sub(again, text)


def tidy(output: str) -> str:
    """An output without blanks at the ends of lines and empty lines around it."""
    lines = [line.rstrip() for line in output.splitlines()]
    return "".join(f"{line}\n" for line in "\n".join(lines).strip("\n").splitlines())


if __name__ == "__main__":
    for page in PAGES:
        path = ROOT / page
        path.write_text(rerun(path.read_text(encoding="utf-8")), encoding="utf-8")
        print(f"ran {page}")

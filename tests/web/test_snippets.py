"""What the pages offer to copy works as it stands: pyvo, STILTS, curl."""

import re
import shutil
import subprocess
import sys
from html import unescape

import httpx2 as httpx
import pytest


def offered(site: str, label: str) -> str:
    """The text to copy under a label of the resource's page."""
    page = httpx.get(f"{site}/resources/sky/sources").text
    found = re.search(rf'aria-label="{re.escape(label)}"><code>(.*?)</code>', page, re.DOTALL)
    assert found, label
    return unescape(found[1])


def output(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_pyvo(site: str) -> None:
    assert output(sys.executable, "-c", offered(site, "pyvo (Python) example")).count("name") >= 2


@pytest.mark.skipif(shutil.which("stilts") is None, reason="stilts is not installed (Debian package stilts)")
def test_stilts(site: str) -> None:
    assert output("sh", "-ec", offered(site, "STILTS example")).count("name") >= 2


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl(site: str) -> None:
    assert output("sh", "-ec", offered(site, "curl example")).startswith("name,ra,dec")


def test_addresses_for_topcat_and_the_command_for_aladin_lead_to_rows(site: str) -> None:
    assert "capabilities" in httpx.get(offered(site, "TAP URL") + "/capabilities").text
    _, _, address = offered(site, "Aladin command").partition("load ")
    assert "<TR>" in httpx.get(address).text

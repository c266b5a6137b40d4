"""``vo selftest``: does a site work for those who come from outside?"""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from vo_server.cli.common import ConfigFile, console, settings_from
from vo_server.selftest import Site, examine

Url = Annotated[str | None, typer.Argument(help="Address of a site or of one service, anybody's. Absent: the one that the settings name.")]
Taplint = Annotated[bool, typer.Option("--taplint", help="Also run STILTS' taplint, which takes a minute or more.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a check, on stdout.")]


def selftest(url: Url = None, taplint: Taplint = False, as_json: AsJson = False, config: ConfigFile = None) -> None:
    """Ask a VO site what its users' programs would ask, and say what is wrong. Exit status 1 if anything is."""
    site = Site(url or settings_from(config).base_url)
    faults, checks, service = 0, 0, ""
    for result in examine(site, taplint=taplint):
        checks += 1
        faults += result.fault is not None
        if as_json:
            print(json.dumps(asdict(result)), flush=True)
            continue
        if result.service != service:
            service = result.service
            print(f"\n{service}")
        mark, words = ("ok   ", result.seen) if result.fault is None else ("WRONG", result.fault)
        print(f"  {mark} {result.check}: {words}  ({result.seconds:.2f} s)", flush=True)
    console.print(f"\n{checks} checks, {faults} of them found something wrong." if faults else f"\n{checks} checks, all is well.")
    if faults:
        raise typer.Exit(1)

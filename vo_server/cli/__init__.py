"""The operator's program, ``vo``. Each command is a function in a module of this package; here they are gathered."""

import sys

import typer
from rich.console import Console

from vo_server.cli import config, db, images, listing, publish, serve, translate
from vo_server.errors import VoError

app = typer.Typer(
    help="Opens astroparticle data to the Virtual Observatory.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("demo")(serve.demo)
app.command("serve")(serve.serve)
app.command("publish")(publish.publish)
app.command("publish-images")(images.publish_images)
app.command("list")(listing.list_tables)
app.command("adql")(translate.translate)
app.command("config")(config.show)
app.add_typer(db.app, name="db")


def main() -> None:
    """Run ``vo``. What a person can mend is told in a sentence, with exit status 1; nothing ends in a stack trace by design."""
    try:
        app()
    except VoError as error:
        Console(stderr=True, soft_wrap=True, highlight=False).print(f"[bold red]error:[/] {_plain(str(error))}")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _plain(text: str) -> str:
    return text.replace("[", "\\[")

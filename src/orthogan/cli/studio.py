"""`orthogan studio`: a local web page over a folder of runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orthogan.cli.output import say, show
from orthogan.errors import MissingExtraError, StorageError

if TYPE_CHECKING:
    from orthogan.studio.guard import Door

DEFAULT = Path("runs")
EXTRA = "studio"


def studio(
    *,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of run folders.")] = DEFAULT,
    data: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DATA",
            help="Images that runs may be started on, as 'orthogan train' takes them; repeatable. "
            "Those of the runs and the shipped sets are offered as well.",
        ),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, metavar="N", help="[default: the first free from 8484 on]"),
    ] = None,
    browser: Annotated[
        bool, typer.Option("--open", help="Open the page in the default browser.")
    ] = False,
) -> None:
    """Open a local web page on which runs are watched, started, stopped, resumed and compared.

    It reads run folders. Training is done by 'orthogan train' in processes of their own, which go
    on when the studio is closed. The page is for this machine alone: it opens with the address that
    is shown, which holds a key.
    """
    if folder != DEFAULT and not folder.exists():
        raise StorageError(f"{folder}: does not exist; name the folder that holds the runs.")
    for name in ("starlette", "uvicorn"):
        try:
            __import__(name)
        except ImportError:
            raise MissingExtraError(name, EXTRA) from None
    from orthogan.data.sources import check_source
    from orthogan.studio.serving import serve

    named = tuple(data or ())
    for each in named:
        check_source(each)

    def tell(door: Door) -> None:
        show(door.address)
        sys.stdout.flush()  # also where it is read by a program: the command goes on
        say("Open this address in a browser of this machine; Ctrl-C closes the studio, runs go on.")
        if browser:
            import webbrowser

            webbrowser.open(door.address)

    serve(folder, named, port, tell)
    say("The studio is closed; runs that train go on.")

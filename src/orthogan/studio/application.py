"""The studio as an ASGI application: addresses, style, and a page for whatever goes wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from importlib import resources

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from orthogan.errors import OrthoganError
from orthogan.report.page import style
from orthogan.studio.answers import Answers
from orthogan.studio.desk import Desk
from orthogan.studio.guard import Door, Guard
from orthogan.studio.pages.layout import message

KINDS = {".js": "text/javascript", ".css": "text/css"}
PARTS = {
    "studio.css": ("uPlot.min.css", "studio.css"),
    **{
        name: (name,)
        for name in (
            "uPlot.iife.min.js", "stream.js", "curves.js", "list.js", "run.js", "view.js",
        )
    },
}  # fmt: skip


def application(desk: Desk, door: Door) -> Starlette:
    """The studio, ready to be served.

    Args:
        desk: The runs and what can be done with them.
        door: Who is let in.
    """
    answers = Answers(desk)
    run = "/runs/{key:str}"
    routes = [
        Route("/", answers.runs),
        Route("/events", answers.runs_events),
        Route("/new", answers.new),
        Route("/runs", answers.start, methods=["POST"]),
        Route("/compare", answers.compare),
        Route("/compare/page", answers.compared),
        Route("/static/{name:str}", static),
        Route(run, answers.run),
        Route(f"{run}/events", answers.run_events),
        Route(f"{run}/stop", answers.stop, methods=["POST"]),
        Route(f"{run}/resume", answers.resume, methods=["POST"]),
        Route(f"{run}/forget", answers.forget, methods=["POST"]),
        Route(f"{run}/grids/{{count:int}}", answers.grid),
        Route(f"{run}/{{view:str}}", answers.view),
        Route(f"{run}/{{view:str}}/page", answers.made),
    ]

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        desk.views.close()

    found = Starlette(
        routes=routes,
        middleware=[Middleware(Guard, door=door)],
        exception_handlers={HTTPException: _refused, OrthoganError: _problem},
        lifespan=lifespan,
    )
    found.router.redirect_slashes = False
    return found


async def static(request: Request) -> Response:
    """A script or style of the studio."""
    name = request.path_params["name"]
    if name not in PARTS:
        raise HTTPException(404, "There is no such file.")
    suffix = name[name.rindex(".") :]
    return Response(_text(name), media_type=KINDS[suffix])


@cache
def _text(name: str) -> str:
    folder = resources.files("orthogan.studio").joinpath("static")
    own = "\n".join(folder.joinpath(part).read_text("utf-8") for part in PARTS[name])
    return f"{style()}\n{own}" if name.endswith(".css") else own


async def _refused(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 400
    detail = str(getattr(error, "detail", "")) or "This cannot be answered."
    return HTMLResponse(message("Not here", detail), status)


async def _problem(_: Request, error: Exception) -> Response:
    """Whatever a run folder or a form does not allow: the sentence of the error itself."""
    return HTMLResponse(message("Not possible", str(error)), 409)

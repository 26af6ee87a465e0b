"""What each address of the studio answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response

from orthogan.errors import OrthoganError
from orthogan.report.markup import Html
from orthogan.report.run_facts import RunFacts
from orthogan.report.run_report import MOST_RUNS
from orthogan.report.side_by_side import run_name
from orthogan.studio.curves import curves
from orthogan.studio.desk import Desk
from orthogan.studio.events import Streams
from orthogan.studio.guard import FRAMED
from orthogan.studio.pages import new_run, run_list, view
from orthogan.studio.pages import run as run_pages
from orthogan.studio.pages.layout import message
from orthogan.studio.pages.new_run import Origin
from orthogan.studio.schema import Asked
from orthogan.studio.views import VIEWS, views_of

MOST_FIELDS = 200
LARGEST_GRID = 64 * 2**20  # bytes of a picture file; ours have thousands


class Answers:
    """The pages, forms and streams over one folder of runs."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.streams = Streams()

    async def runs(self, _: Request) -> Response:
        """Every run."""
        cards, head = await run_in_threadpool(self._cards)
        return HTMLResponse(run_list.list_page(cards, head))

    async def runs_events(self, _: Request) -> Response:
        """Every run, and again what changes of it."""
        return self._stream(self._list)

    async def run(self, request: Request) -> Response:
        """One run; where its process has just been started, that."""
        key = request.path_params["key"]
        found = await run_in_threadpool(self.desk.shelf.run, key)
        if found is None:
            return self._not_begun(key)
        now = self.desk.standing(key, found)
        return HTMLResponse(await run_in_threadpool(run_pages.run_page, key, found, now))

    async def run_events(self, request: Request) -> Response:
        """One run, and again what changes of it."""
        key = request.path_params["key"]
        await self._found(request, or_starting=True)
        return self._stream(lambda: self._parts(key))

    async def grid(self, request: Request) -> Response:
        """The images of a run after so many."""
        run = await self._found(request)
        file = run.grids.get(request.path_params["count"])
        if file is None or not await run_in_threadpool(_is_picture, file):
            raise HTTPException(404, "There is no such picture.")
        return FileResponse(file, media_type="image/png")

    async def view(self, request: Request) -> Response:
        """The frame around a page that a command makes of a run."""
        run, name = await self._found(request), request.path_params["view"]
        if name not in views_of(run):
            raise HTTPException(404, "There is no such page of this run.")
        shown, title = VIEWS[name], f"{VIEWS[name].title}: {run_name(run.path)}"
        address = f"/runs/{request.path_params['key']}"
        page = view.view_page(title, (address, "Back"), f"{address}/{name}/page", shown.wait)
        return HTMLResponse(page)

    async def made(self, request: Request) -> Response:
        """That page itself."""
        run, name = await self._found(request), request.path_params["view"]
        if name not in views_of(run):
            raise HTTPException(404, "There is no such page of this run.")
        return await self._made(name, [run])

    async def compare(self, request: Request) -> Response:
        """The frame around a report of several runs."""
        keys = list((await self._chosen(request)).keys())
        query = urlencode([("run", key) for key in keys])
        source = f"/compare/page?{query}"
        page = view.view_page("Runs side by side", ("/", "Back"), source, VIEWS["report"].wait)
        return HTMLResponse(page)

    async def compared(self, request: Request) -> Response:
        """That report itself."""
        return await self._made("report", list((await self._chosen(request)).values()))

    async def new(self, request: Request) -> Response:
        """The form that starts a run, empty or with the settings of another."""
        asked = dict(request.query_params)
        if "from" in asked:
            run = await run_in_threadpool(self.desk.shelf.run, asked["from"])
            if run is None:
                raise HTTPException(404, "There is no such run.")
            wanted = await run_in_threadpool(self.desk.fork, run)
        else:
            wanted = await run_in_threadpool(self.desk.blank, asked.get("recipe"))
        return await run_in_threadpool(self._form, wanted)

    async def start(self, request: Request) -> Response:
        """Starts what a form asks for; the form again, with a sentence, where that cannot be."""
        fields = await _fields(request)
        sources = await run_in_threadpool(self.desk.sources)
        source = sources.get(fields.pop("source", ""))
        if source is None:
            raise HTTPException(400, "There are no such data.")
        settings = {name.removeprefix("set:"): text for name, text in fields.items()
                    if name.startswith("set:")}  # fmt: skip
        plain = {name: text for name, text in fields.items() if not name.startswith("set:")}
        try:
            asked = Asked(source=source.value, settings=settings, **plain)
        except TypeError:
            raise HTTPException(400, "The form has fields too few or too many.") from None
        try:
            key = await run_in_threadpool(self.desk.start, asked)
        except OrthoganError as error:
            return await run_in_threadpool(self._refused, asked, str(error))
        return _to(f"/runs/{key}")

    async def stop(self, request: Request) -> Response:
        """Asks a run to stop."""
        key = request.path_params["key"]
        run = await self._found(request, or_starting=True)
        await run_in_threadpool(self.desk.stop, key, run)
        return _to(f"/runs/{key}")

    async def resume(self, request: Request) -> Response:
        """Has a run go on."""
        run, key = await self._found(request), request.path_params["key"]
        fields = await _fields(request)
        amount, unit = fields.get("amount", ""), fields.get("unit", "minutes")
        await run_in_threadpool(self.desk.resume, key, run, amount, unit)
        return _to(f"/runs/{key}")

    async def forget(self, request: Request) -> Response:
        """Drops a start that failed."""
        self.desk.processes.forget(request.path_params["key"])
        return _to("/")

    def _list(self) -> Mapping[str, Any]:
        cards, head = self._cards()
        return {"head": head, "order": list(cards)} | cards

    def _cards(self) -> tuple[dict[str, Html], Html]:
        """Of each run its card, by its id; and what stands above them."""
        contents = self.desk.shelf.look()
        now = {key: self.desk.standing(key, run) for key, run in contents.runs.items()}
        processes = self.desk.processes
        starting = {
            key: run_list.starting_card(
                key, name, "" if processes.is_alive(key) else processes.failure(key)
            )
            for key, name in self.desk.starting().items()
        }
        head = run_list.heading(
            str(self.desk.root), list(now.values()), contents.notes, contents.problem
        )
        cards = {key: run_list.card(key, run, now[key]) for key, run in contents.runs.items()}
        return starting | cards, head

    def _parts(self, key: str) -> Mapping[str, Any]:
        run = self.desk.shelf.run(key)
        if run is None:
            is_alive = self.desk.processes.is_alive(key)
            gone = "" if is_alive else self._why_gone(key)
            return {"gone": gone, "starting": is_alive}
        now = self.desk.standing(key, run)
        return {"begun": True} | dict(run_pages.parts(key, run, now, curves(run)))

    def _why_gone(self, key: str) -> str:
        problem = self.desk.shelf.look().problem
        why = problem or self.desk.processes.failure(key)
        return why or "The folder of this run is gone, or its run.json cannot be read."

    def _form(self, asked: Asked, fault: str = "", status: int = 200) -> Response:
        runs = self.desk.shelf.look().runs
        left = runs.get(asked.fork)
        origin = None
        if left is not None:
            origin = Origin(run_name(left.path), self.desk.beginnings(asked.fork))
        page = new_run.new_run_page(
            asked, self.desk.sources(), fault=fault, origin=origin,
            live=sum(run.status == "running" for run in runs.values()),
        )  # fmt: skip
        return HTMLResponse(page, status)

    def _refused(self, asked: Asked, fault: str) -> Response:
        return self._form(asked, fault=fault, status=422)

    def _not_begun(self, key: str) -> Response:
        child = self.desk.processes.child(key)
        if child is None:
            raise HTTPException(404, "There is no such run; its folder may have been moved.")
        is_alive = self.desk.processes.is_alive(key)
        failure = "" if is_alive else (self.desk.processes.failure(key) or self._why_gone(key))
        tail = self.desk.processes.tail(key)
        return HTMLResponse(run_pages.starting_page(key, child.name, failure, tail))

    def _stream(self, parts: Callable[[], Mapping[str, Any]]) -> Response:
        found = self.streams.response(parts)
        if found is None:
            raise HTTPException(429, "Too many pages are open; close some of them.")
        return found

    async def _found(self, request: Request, *, or_starting: bool = False) -> Any:
        """The run that an address names; None where its process is starting and that will do."""
        key = request.path_params["key"]
        run = await run_in_threadpool(self.desk.shelf.run, key)
        if run is None and not (or_starting and self.desk.processes.child(key) is not None):
            raise HTTPException(404, "There is no such run; its folder may have been moved.")
        return run

    async def _chosen(self, request: Request) -> dict[str, RunFacts]:
        keys = list(dict.fromkeys(request.query_params.getlist("run")))
        if not 2 <= len(keys) <= MOST_RUNS:
            raise HTTPException(400, f"Choose 2 to {MOST_RUNS} runs to compare.")
        contents = await run_in_threadpool(self.desk.shelf.look)
        if not contents.runs.keys() >= set(keys):
            raise HTTPException(404, "One of these runs is not there any more.")
        return {key: contents.runs[key] for key in keys}

    async def _made(self, name: str, runs: list[RunFacts]) -> Response:
        headers = {"Content-Security-Policy": FRAMED}
        try:
            file = await self.desk.views.page(name, runs)
        except OrthoganError as error:
            return HTMLResponse(message("Not made", str(error)), 409)
        return FileResponse(file, media_type="text/html", headers=headers)


async def _fields(request: Request) -> dict[str, str]:
    """The fields of a form, each once.

    Raises:
        HTTPException: it is no such form.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    body = await request.body()
    if body and kind != "application/x-www-form-urlencoded":
        raise HTTPException(415, "A form is sent as application/x-www-form-urlencoded.")
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, strict_parsing=bool(body),
            errors="strict", max_num_fields=MOST_FIELDS,
        )  # fmt: skip
    except ValueError:
        raise HTTPException(400, "The form cannot be read.") from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise HTTPException(400, "A field stands twice in the form.")
    return fields


def _is_picture(file: Any) -> bool:
    try:
        return bool(file.is_file() and file.stat().st_size <= LARGEST_GRID)
    except OSError:
        return False


def _to(address: str) -> Response:
    return RedirectResponse(address, status_code=303)

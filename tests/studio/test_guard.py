"""Who is let in, and that nobody else reads, writes or breaks anything."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from studio_folders import OWN, everything

from orthogan.studio.guard import MOST_BYTES, Door, Guard
from orthogan.studio.shelf import key_of

NUM_REQUESTS = int(os.environ.get("ORTHOGAN_STUDIO_REQUESTS", "400"))
NUM_TRAVERSALS = 500
LARGE = 100 * 2**20
FIRST = f"/runs/{key_of('first')}"


def test_the_address_opens_the_door_once_and_leaves_no_secret_behind(
    stranger: TestClient, door: Door
) -> None:
    answer = stranger.get(door.address.removeprefix(OWN))
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    assert stranger.get("/").status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example:8484"}, 421),
        ({"host": "127.0.0.1:8485"}, 421),
        ({"host": "127.0.0.1"}, 421),
        ({"host": "127.0.0.1:8484.evil.example"}, 421),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "http://127.0.0.1:1"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
    ],
)
def test_other_pages_are_not_answered(
    guest: TestClient, headers: dict[str, str], status: int
) -> None:
    assert guest.get("/").status_code == 200
    assert guest.get("/", headers=headers).status_code == status
    assert guest.post(f"{FIRST}/stop", headers=headers).status_code == status


def test_localhost_is_this_machine_too(guest: TestClient) -> None:
    own = {"host": "localhost:8484", "origin": "http://localhost:8484"}
    assert guest.get("/", headers=own).status_code == 200
    assert guest.get("/", headers={"host": "localhost:8484"}).status_code == 403  # another origin


@pytest.mark.parametrize("token", ["", "the-toke", "the-token2", "\u00e9"])
def test_a_wrong_token_opens_nothing(stranger: TestClient, door: Door, token: str) -> None:
    assert stranger.get("/").status_code == 403
    assert stranger.get("/", params={"token": token}).status_code == 403
    assert stranger.get("/static/run.js").status_code == 403
    cookie = f"{door.cookie}={token}".encode()
    assert stranger.get("/", headers=[(b"cookie", cookie)]).status_code == 403
    assert stranger.get("/", headers={"cookie": f"odd={{}}; {door.cookie}={door.token}"}).is_success


def test_a_form_has_to_say_where_it_was_sent_from(
    guest: TestClient, root: Path, started: list[Any]
) -> None:
    before = everything(root)
    del guest.headers["origin"]
    for place in ("/runs", f"{FIRST}/stop", f"{FIRST}/resume", f"{FIRST}/forget"):
        assert guest.post(place, data={"amount": "9"}).status_code == 403
    assert (everything(root), started) == (before, [])


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "X"])
def test_other_methods_are_refused(guest: TestClient, method: str) -> None:
    assert guest.request(method, "/").status_code == 405


def test_every_answer_carries_the_policy(guest: TestClient) -> None:
    for place in ("/", "/new", FIRST, "/static/run.js", "/nowhere", f"{FIRST}/grids/200"):
        headers = guest.get(place).headers
        assert "script-src 'self'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"


def test_a_large_body_is_not_read(guest: TestClient) -> None:
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        while sent < LARGE:
            sent += MOST_BYTES
            yield b"x" * MOST_BYTES

    assert guest.post("/runs", content=endless()).status_code == 413
    declared = {"content-length": str(LARGE)}
    assert guest.post("/runs", headers=declared).status_code == 413
    assert guest.get("/", headers=declared).status_code == 413
    assert guest.post("/runs", headers={"content-length": "9" * 30}).status_code == 413


def test_of_a_body_without_end_only_the_beginning_is_read(door: Door) -> None:
    asked = 0

    async def receive() -> dict[str, Any]:
        nonlocal asked
        asked += 1
        return {"type": "http.request", "body": b"x" * MOST_BYTES, "more_body": True}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["more_body"]:
            pass

    told: list[Any] = []

    async def send(message: Any) -> None:
        told.append(message)

    headers = [(b"host", b"127.0.0.1:8484"), (b"origin", OWN.encode()),
               (b"cookie", f"{door.cookie}={door.token}".encode())]  # fmt: skip
    scope = {"type": "http", "method": "POST", "path": "/runs", "headers": headers}
    asyncio.run(Guard(app, door)(scope, receive, send))
    assert told[0]["status"] == 413
    assert asked == 2


def traversals() -> Iterator[str]:
    """So many ways to ask for a file that is none of the studio's."""
    source = random.Random(0)
    steps = ("..", "%2e%2e", "..%2f", "..%5c", "%252e%252e", "....", "..;", ".%00.", "\\..", "~")
    targets = ("etc/passwd", "run.json", "first/run.json", ".studio/x.log", "windows/win.ini",
               "%00", "metrics.jsonl", "proc/self/environ")  # fmt: skip
    starts = ("/", "/runs/", f"{FIRST}/", f"{FIRST}/grids/", "/static/", "/compare/",
              f"{FIRST}/../", "/runs/first/", "//", "/new/")  # fmt: skip
    while True:
        way = "/".join(source.choices(steps, k=source.randint(1, 6)))
        yield f"{source.choice(starts)}{way}/{source.choice(targets)}"


def test_no_path_leads_out(guest: TestClient, root: Path) -> None:
    before, ways = everything(root), traversals()
    for _ in range(NUM_TRAVERSALS):
        way = next(ways)
        answer = guest.get(way)
        assert 400 <= answer.status_code < 500, way
        assert "root:" not in answer.text
        assert '"format"' not in answer.text
    assert everything(root) == before


def test_whatever_is_asked_is_answered_and_nothing_is_written(
    guest: TestClient, door: Door, root: Path, started: list[Any]
) -> None:
    """Requests of a browser that was let in, each spoilt somewhere."""
    before, source = everything(root), random.Random(1)
    ways = traversals()
    places = ("/runs", "/new", "/compare", "/compare/page", f"{FIRST}/grids/{10**30}",
              "/runs/x/stop", f"{FIRST}/resume", "/runs/x/resume", f"{FIRST}/x", f"{FIRST}/x/page",
              f"{FIRST}/stop/page", "/runs/x/events", f"{FIRST}/grids/-1")  # fmt: skip
    for _ in range(NUM_REQUESTS):
        method = source.choice(("GET", "POST", "POST", "PUT", "HEAD", "BREW"))
        way = source.choice((source.choice(places), next(ways), noise(source)))
        query = source.choice(("", "?from=x", "?recipe=x", "?run=a&run=b", f"?{noise(source)}",
                               "?run=" + "a&run=" * 60))  # fmt: skip
        headers = {"content-type": source.choice(FORMS)} if method == "POST" else {}
        body = spoilt(source) if method == "POST" else b""
        answer = guest.request(method, f"{way}{query}", headers=headers, content=body)
        is_page = method in {"GET", "HEAD"} and way == "/new" and "=x" not in query
        assert 400 <= answer.status_code < 500 or is_page, (method, way, query, body)
    assert (everything(root), started) == (before, [])


FORMS = ("application/x-www-form-urlencoded", "application/json", "multipart/form-data", "")


def noise(source: random.Random) -> str:
    return "/~" + "".join(source.choices("abc%&=?#;:@[]<>'\"\\ \u00e9\u202e0123456789", k=12))


def spoilt(source: random.Random) -> bytes:
    """A form in which something is wrong."""
    fields = {"recipe": "attention-gan", "source": "x", "name": "n", "amount": "1", "unit": "hours",
              "fork": "x", "begin": ""}  # fmt: skip
    name = source.choice(list(fields))
    fields[name] = source.choice(("", "../x", "\x00", "-1", "nan", "/etc", "a" * 3000, "\u202e"))
    fields["source"] = source.choice(("x", "mnist", "/etc", "0" * 16))  # no id of any data
    text = "&".join(f"{key}={value}" for key, value in fields.items())
    return source.choice((text.encode(), b"%ff=%fe", b"&&&&", b"=" * 300, b"a=1&a=2", bytes(99)))

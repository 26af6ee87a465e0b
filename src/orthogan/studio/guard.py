"""Who may ask the studio anything: one browser on this machine that was given the address.

Any page that a browser has open can send requests to a port of this machine, and a name of a
foreign site can be made to lead here (DNS rebinding). Hence every request is held to its `Host`,
its `Origin` and a secret in a cookie that other sites cannot have sent.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BYTES = 64 * 1024  # of a body; a form of every setting has a tenth of it
MOST_QUERY_BYTES = 2_048
TOKEN = "token"  # noqa: S105 - the name of the parameter
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'self'"
)
# A page made by a command says itself which of its scripts run. It is shown in a frame of an origin
# of its own, from which nothing of the studio can be reached.
FRAMED = "sandbox allow-scripts allow-downloads; frame-ancestors 'self'"
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "same-origin",  # not no-referrer: forms would be sent with Origin: null
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class BodyTooLargeError(Exception):
    """A body that goes on beyond what a form can have."""


@dataclass(frozen=True)
class Door:
    """What a request has to say to be let in.

    Attributes:
        port: On which the studio listens.
        token: The secret.
    """

    port: int
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)

    @property
    def hosts(self) -> tuple[str, ...]:
        """What this machine calls itself in a `Host`."""
        return tuple(f"{name}:{self.port}" for name in ("127.0.0.1", "localhost"))

    @property
    def cookie(self) -> str:
        """The name of the cookie: cookies know no ports, and two studios may be open."""
        return f"orthogan-studio-{self.port}"

    @property
    def address(self) -> str:
        """What a browser is given once."""
        return f"http://{self.hosts[0]}/?{TOKEN}={self.token}"


class Guard:
    """Refuses what does not come from a browser that was let in, before anything reads it.

    Args:
        app: What answers those who may ask.
        door: What they have to say.
    """

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self.app, self.door = app, door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request itself, or hands it on."""
        if scope["type"] != "http":  # the start and end of the server
            await self.app(scope, receive, send)
            return
        begun = False

        async def answer(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        refused = self._refused(scope)
        try:
            await (refused or self.app)(scope, _capped(receive), answer)
        except BodyTooLargeError:
            if not begun:
                await _too_large()(scope, receive, answer)

    def _refused(self, scope: Scope) -> Response | None:
        """Why a request is not handed on; None if it is."""
        headers = Headers(scope=scope)
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        if len(hosts) != 1 or hosts[0].lower() not in self.door.hosts:
            return _no(
                421, "This is the studio of one machine; it answers to its own address only."
            )
        own = f"http://{hosts[0].lower()}"
        if origins not in ([], [own]):
            return _no(403, "Requests of other pages are not answered.")
        if scope["method"] not in {"GET", "HEAD", "POST"}:
            return _no(405, "Pages are read with GET, and forms are sent with POST.")
        # Browsers say where a form was sent from, and who does not is none.
        if scope["method"] == "POST" and not origins:
            return _no(403, "A form has to say which page it was sent from.")
        if headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}:
            return _no(403, "Links and requests of other pages are not answered; type the address.")
        if len(scope.get("query_string", b"")) > MOST_QUERY_BYTES:
            return _no(414, "The address is too long.")
        if _is_large(headers, scope["method"]):
            return _too_large()
        return self._without_token(scope, headers)

    def _without_token(self, scope: Scope, headers: Headers) -> Response | None:
        if _matches(_cookies(headers.getlist("cookie"), self.door.cookie), self.door.token):
            return None
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
        if scope["method"] == "GET" and _matches(query.get(TOKEN, []), self.door.token):
            inside = RedirectResponse("/", status_code=303)  # the secret leaves the address bar
            inside.set_cookie(self.door.cookie, self.door.token, httponly=True, samesite="strict")
            return inside
        return _no(
            403, "Open the address that `orthogan studio` printed in the terminal: it has the key."
        )


def _matches(given: Iterable[str], token: str) -> bool:
    return any(hmac.compare_digest(each.encode(), token.encode()) for each in given)


def _cookies(headers: Iterable[str], name: str) -> list[str]:
    # Not the parser of the standard library: it gives up at the odd cookie of another program.
    pairs = [pair.strip().partition("=") for header in headers for pair in header.split(";")]
    return [value for key, _, value in pairs if key == name]


def _is_large(headers: Headers, method: str) -> bool:
    length = headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit()) or len(length) > 18:
        return True
    return int(length) > (MOST_BYTES if method == "POST" else 0)


def _capped(receive: Receive) -> Receive:
    """The body, as long as it is no longer than a form can be."""
    total = 0

    async def counted() -> Message:
        nonlocal total
        message = await receive()
        total += len(message.get("body", b""))
        if total > MOST_BYTES:
            raise BodyTooLargeError
        return message

    return counted


def _too_large() -> Response:
    # The rest of the body is not read: the connection ends with this answer.
    answer = _no(413, f"A request has at most {MOST_BYTES:,} bytes.")
    answer.headers["Connection"] = "close"
    return answer


def _no(status: int, sentence: str) -> Response:
    return PlainTextResponse(f"{sentence}\n", status_code=status)

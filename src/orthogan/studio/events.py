"""Server-sent events: what a page shows of runs, sent again where it has changed."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

EVERY_S = 2.0  # training writes a line a second; looks take images from it where cores are few
# Looking takes at most a two-hundredth of a core, however long the history of a run is.
REST = 200.0
PING_EVERY_S = 15.0  # so that a closed page is noticed
MOST_STREAMS = 32  # pages that are open at the same time; a browser has a few


class Streams:
    """Counts the pages that are kept up to date."""

    def __init__(self) -> None:
        self.open = 0

    def response(self, parts: Callable[[], Mapping[str, Any]]) -> StreamingResponse | None:
        """A stream of what `parts` returns, each part when it changes; None if too many are open.

        Args:
            parts: Called every two seconds, or less often where it takes long; in a thread.
        """
        if self.open >= MOST_STREAMS:
            return None
        return StreamingResponse(self._events(parts), media_type="text/event-stream")

    async def _events(self, parts: Callable[[], Mapping[str, Any]]) -> AsyncIterator[str]:
        self.open += 1
        try:
            async for event in changes(parts):
                yield event
        finally:
            self.open -= 1


async def changes(
    parts: Callable[[], Mapping[str, Any]], every_s: float = EVERY_S
) -> AsyncIterator[str]:
    """Events that hold the parts that differ from what was sent before; all of them at first.

    Args:
        parts: What there is to show, by name.
        every_s: Shortest time between two looks.
    """
    sent: dict[str, str] = {}
    quiet_since = time.monotonic()
    while True:
        began = time.monotonic()
        now = {name: json.dumps(value) for name, value in (await run_in_threadpool(parts)).items()}
        took = time.monotonic() - began
        new = {name: text for name, text in now.items() if sent.get(name) != text}
        if new:
            yield f"data: {{{','.join(f'{json.dumps(name)}:{new[name]}' for name in new)}}}\n\n"
            sent, quiet_since = now, time.monotonic()
        elif time.monotonic() - quiet_since > PING_EVERY_S:
            yield ": still here\n\n"
            quiet_since = time.monotonic()
        await asyncio.sleep(max(every_s, REST * took))

"""A studio over two runs, asked in this process; no process of its own is started."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from studio_folders import OWN, PORT, make_run

from orthogan.studio.application import application
from orthogan.studio.desk import Desk
from orthogan.studio.guard import Door
from orthogan.studio.processes import Processes


@pytest.fixture
def door() -> Door:
    return Door(PORT, "the-token")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "runs"
    make_run(folder, "first")
    make_run(folder, "second", created="2026-01-01T00:00:00")
    return folder


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[str]]]:
    """The names and words of the processes that would have been started."""
    found: list[tuple[str, list[str]]] = []

    def start(_: Any, key: str, name: str, words: Any) -> None:
        found.append((name, list(words)))

    monkeypatch.setattr(Processes, "start", start)
    return found


@pytest.fixture
def desk(root: Path, started: object) -> Iterator[Desk]:
    desk = Desk(root)
    yield desk
    desk.views.close()


@pytest.fixture
def stranger(desk: Desk, door: Door) -> Iterator[TestClient]:
    """Somebody who knows the port and nothing else."""
    with TestClient(application(desk, door), OWN, follow_redirects=False) as client:
        yield client


@pytest.fixture
def guest(stranger: TestClient, door: Door) -> TestClient:
    """A browser that was given the address."""
    stranger.cookies.set(door.cookie, door.token)
    stranger.headers["origin"] = OWN
    return stranger

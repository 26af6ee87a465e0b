"""What many tests start from: tiny runs, a tiny trainer, a tiny language model."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from disturbances import final_bits
from plugin_packages import Packages

from orthogan import plugins
from orthogan.data import ImageSet, load
from orthogan.gan import api
from orthogan.gan.trainer import Trainer

_WHOLE: list[tuple[bytes, bytes]] = []


@pytest.fixture
def whole(train_tiny: Callable[..., Any], tmp_path: Path) -> tuple[bytes, bytes]:
    """The final weights of the tiny run with default settings; trained once."""
    if not _WHOLE:
        assert train_tiny(tmp_path / "whole").status == "done"
        _WHOLE.append(final_bits(tmp_path / "whole"))
    return _WHOLE[0]


@pytest.fixture
def tiny_images(tiny_file: Path) -> ImageSet:
    """The images of `tiny_file`."""
    return load(tiny_file)


@pytest.fixture
def make_trainer(
    tiny_file: Path, tiny_images: ImageSet, tiny_settings: Callable[..., tuple[str, ...]]
) -> Callable[..., Trainer]:
    """A trainer of a tiny GAN on the CPU, not yet a step old; takes settings."""

    def trainer(
        *settings: str, model: str = "attention-gan", seed: int = 0, data: ImageSet = tiny_images
    ) -> Trainer:
        config = api.resolve(
            tiny_file, model=model, images=640, seed=seed, settings=tiny_settings(model, *settings)
        )
        return Trainer(config, data, torch.device("cpu"))

    return trainer


# A language model so small that a step takes milliseconds.
TINY_LANGUAGE = (
    "network.width=8",
    "network.heads=2",
    "network.blocks=1",
    "network.context=8",
    "batch_size=4",
)


@pytest.fixture(scope="session")
def tiny_text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """2,100 characters that repeat themselves."""
    path = tmp_path_factory.mktemp("text") / "rhyme.txt"
    path.write_text("the cat sat on the mat. " * 75 + "the mat sat on the cat. " * 13)
    return path


@pytest.fixture(scope="session")
def tiny_language() -> tuple[str, ...]:
    """Settings that make a language model tiny."""
    return TINY_LANGUAGE


@pytest.fixture
def learn_tiny(
    tiny_text: Path, one_thread: None, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Any]:
    """`train_language` on a tiny text with a tiny network; takes the run folder and options."""
    from orthogan.language import api as language_models
    from orthogan.language import session

    monkeypatch.setattr(session, "SAMPLE_TOKENS", 5)

    def learn(run: Path | None, *settings: str, **options: Any) -> Any:
        source = options.pop("source", tiny_text)
        if "minutes" not in options:
            options.setdefault("tokens", 640)
        defaults = {"show_progress": False, "settings": (*TINY_LANGUAGE, *settings)}
        return language_models.train_language(source, run=run, **(defaults | options))

    return learn


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Packages]:
    """Packages that bring parts; they are gone after the test."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(site)
    plugins.forget()
    yield Packages(site)
    for module in site.glob("*.py"):
        sys.modules.pop(module.stem, None)
    plugins.forget()

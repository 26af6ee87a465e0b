"""Shapes are types while tests run: every annotated function is checked by beartype."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

# Tests run side by side, one process a core (pytest-xdist), and their tensors are tiny: a second
# thread in each process only makes all of them wait for each other.
os.environ["OMP_NUM_THREADS"] = "1"

# Processes that tests start run these sources too, whichever copy is installed.
os.environ["PYTHONPATH"] = os.pathsep.join(
    filter(None, [str(Path(__file__).parents[1] / "src"), os.environ.get("PYTHONPATH")])
)

import numpy as np
import pytest
from jaxtyping import config

from checked_shapes import install

install("orthogan")

SIZE_PX = 16  # the smallest image that the networks take

# Networks so small that a step takes milliseconds.
_GENERATOR = ("generator.latent_size=8", "generator.width=8", "generator.channels=4")
_DISCRIMINATOR = ("discriminator.channels=4",)
_ATTENTION = (
    *_GENERATOR,
    *_DISCRIMINATOR,
    "generator.hidden=16",
    "generator.blocks=1",
    "discriminator.width=8",
    "discriminator.heads=2",
    "discriminator.hidden=16",
)
TINY = {
    "attention-gan": _ATTENTION,
    "faithful": _ATTENTION,
    "stacked-mnist": _ATTENTION,
    "transformer-gan": (
        *_GENERATOR,
        *_DISCRIMINATOR,
        "generator.style_size=16",
        "generator.blocks=1",
        "discriminator.width=8",
        "discriminator.heads=2",
        "discriminator.blocks=1",
    ),
    "conv-gan": (
        *_GENERATOR,
        *_DISCRIMINATOR,
        "generator.hidden=16",
        "generator.blocks=1",
        "discriminator.hidden=16",
    ),
}


def save_blobs(path: Path, num_images: int) -> Path:
    """A bright blob an image; the label is the quadrant it lies in."""
    source = np.random.default_rng(5)
    centres = source.uniform(3, SIZE_PX - 3, (num_images, 2))
    rows, cols = np.mgrid[:SIZE_PX, :SIZE_PX]
    squared = (rows - centres[:, 0, None, None]) ** 2 + (cols - centres[:, 1, None, None]) ** 2
    images = (255 * np.exp(-squared / 6)).astype(np.uint8)
    quadrants = (centres > SIZE_PX / 2) @ np.array([2, 1])
    np.savez(path, images=images, labels=quadrants)
    return path


@pytest.fixture(scope="session")
def tiny_settings() -> Callable[..., tuple[str, ...]]:
    """Settings that make a recipe tiny, and more of them."""

    def settings(model: str = "attention-gan", *more: str) -> tuple[str, ...]:
        return (*TINY[model], "batch_size=16", *more)

    return settings


@pytest.fixture(scope="session")
def tiny_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """200 grey 16 x 16 images in 4 classes: too few for a live score, so runs are quick."""
    return save_blobs(tmp_path_factory.mktemp("data") / "blobs.npz", 200)


@pytest.fixture(scope="session")
def scored_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """320 such images: enough for a live score."""
    return save_blobs(tmp_path_factory.mktemp("data") / "scored.npz", 320)


@pytest.fixture(scope="session")
def many_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """520 such images: enough to keep 128 of them from training."""
    return save_blobs(tmp_path_factory.mktemp("data") / "many.npz", 520)


@pytest.fixture(scope="session")
def feature_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of features that outlives a test but not the tests."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def scratch_registry(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """What a test registers in these registries is gone after it."""

    def scratch(*registries: Any) -> None:
        for registry in registries:
            monkeypatch.setattr(registry, "_parts", {name: registry[name] for name in registry})

    return scratch


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Tiny tensors are quickest on one thread; training sets the count for the whole process."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def quick_live_scores(request: pytest.FixtureRequest) -> Iterator[None]:
    """Runs are scored in the digits extractor, on an eighth of the usual number of images.

    The general one takes longer than a tiny run. Not so where a test is marked
    `general_live_scores`.
    """
    if "general_live_scores" in request.keywords:
        yield
        return
    from orthogan.evaluation import LiveScore
    from orthogan.gan import task

    quick = partial(LiveScore, extractor="digits-cls", num_fakes=256)
    # In a context of its own, so that a test that undoes what it has changed keeps it.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(task, "LiveScore", quick)
        yield


@pytest.fixture(autouse=True)
def no_second_judge(request: pytest.FixtureRequest) -> Iterator[None]:
    """No extractor is trained for a verdict: that takes half a minute a set.

    Not so where a test is marked `second_judge`.
    """
    if "second_judge" in request.keywords:
        yield
        return
    from orthogan.evaluation import evaluate

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluate, "second_for", lambda *_, **__: None)
        yield


@pytest.fixture
def train_tiny(
    tiny_file: Path,
    tiny_settings: Callable[..., tuple[str, ...]],
    feature_cache: Path,
    one_thread: None,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., Any]:
    """`orthogan.train` on tiny data with tiny networks; takes the run folder and any argument."""
    from orthogan.gan import api

    monkeypatch.setenv("ORTHOGAN_CACHE", str(feature_cache))

    def train(run: Path, *settings: str, **options: Any) -> Any:
        model = options.setdefault("model", "attention-gan")
        source = options.pop("source", tiny_file)
        if "minutes" not in options:
            options.setdefault("images", 320)
        defaults = {"show_progress": False, "settings": tiny_settings(model, *settings)}
        return api.train(source, run=run, **(defaults | options))

    return train


# A classifier so small that a step takes milliseconds.
TINY_CLASSIFIER = (
    "network.channels=4",
    "network.width=8",
    "network.heads=2",
    "network.blocks=1",
    "batch_size=16",
)


@pytest.fixture(scope="session")
def tiny_classifier() -> tuple[str, ...]:
    """Settings that make a classifier tiny."""
    return TINY_CLASSIFIER


@pytest.fixture
def classify_tiny(tiny_file: Path, one_thread: None) -> Callable[..., Any]:
    """`orthogan.classify` on tiny data with a tiny network; takes the run folder and options."""
    from orthogan.classification import api as classifiers

    def classify(run: Path, *settings: str, **options: Any) -> Any:
        source = options.pop("source", tiny_file)
        if "minutes" not in options:
            options.setdefault("images", 320)
        defaults = {"show_progress": False, "settings": (*TINY_CLASSIFIER, *settings)}
        return classifiers.classify(source, run=run, **(defaults | options))

    return classify


@pytest.fixture
def as_in_use() -> Iterator[None]:
    """Without the shape checks that only tests have: what a user is told of a wrong shape."""
    config.update("jaxtyping_disable", True)
    yield
    config.update("jaxtyping_disable", False)

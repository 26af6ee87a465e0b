"""Descriptions that fit no file: refused before anything as large as they claim is allocated."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load, save
from torch import nn

import orthogan
from orthogan.analysis.trained import load_trained
from orthogan.errors import BundleError, ResumeError
from orthogan.models import bundle
from orthogan.models.bundle.rebuild import rebuild
from orthogan.networks import GENERATORS
from orthogan.training.checkpoint import load_checkpoint

OLD = Path(__file__).parents[1] / "fixtures" / "version-0.1"
MOST_S = 5.0  # each takes milliseconds


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return Path(shutil.copytree(OLD, tmp_path / "old"))


def edit(file: Path, change: Callable[[dict[str, Any]], object]) -> None:
    tree = json.loads(file.read_text())
    change(tree)
    file.write_text(json.dumps(tree))


SIZES: list[tuple[str, str, int, str]] = [
    ("gan", "blocks", 2**31, "be less than or equal to 256"),
    ("gan", "blocks", 256, "do not fit"),
    ("gan", "width", 2**31, "less than or equal to 65536"),
    ("gan", "width", 65_536, "do not fit"),
    ("gan", "hidden", 65_536, "do not fit"),
    ("gan", "channels", 65_536, "do not fit"),
    ("gan", "heads", 2**40, "less than or equal to 65536"),
    ("gan", "latent_size", 65_536, "do not fit"),
    ("gan", "latent_size", 2**62, "less than or equal to 65536"),
    ("gan", "key_size", 65_536, "do not fit"),
    ("gan", "classes", 100_000, "do not fit"),
    ("gan", "classes", 2**50, "less than or equal to 100000"),
    ("gan", "size", 2**20, "less than or equal to 128"),
    ("classifier", "blocks", 2**31, "less than or equal to 256"),
    ("classifier", "width", 65_536, "do not fit"),
    ("classifier", "classes", 100_000, "do not fit"),
    ("classifier", "labels", 1_000, "do not fit"),
    ("classifier", "expansion", 64, "do not fit"),
    ("classifier", "expansion", 2**31, "less than or equal to 64"),
    ("language", "blocks", 2**31, "less than or equal to 256"),
    ("language", "vocabulary", 1_000_000, "do not fit"),
    ("language", "context", 2**20, "less than or equal to 8192"),
    ("language", "embedding", 65_536, "do not fit"),
    ("language", "width", 65_536, "do not fit"),
]
LOAD: dict[str, Callable[[Path], object]] = {
    "gan": orthogan.load,
    "classifier": orthogan.load,
    "language": orthogan.load,
}


@pytest.mark.parametrize(("kind", "name", "size", "words"), SIZES)
def test_sizes_beyond_the_weights_are_refused_before_allocation(
    old: Path, kind: str, name: str, size: int, words: str
) -> None:
    role = {"gan": "generator"}.get(kind, kind)
    file = old / kind / "bundle" / "config.json"
    edit(file, lambda tree: tree[role].update({name: size}))
    started = time.process_time()  # and not of the clock: the machine may be busy
    with pytest.raises(BundleError, match=words) as caught:
        LOAD[kind](old / kind)
    assert time.process_time() - started < MOST_S
    assert caught.value.exit_code == 3
    assert len(str(caught.value)) < 500


def test_a_run_without_a_bundle_is_bounded_by_its_checkpoint(old: Path) -> None:
    file = old / "gan-stopped" / "run.json"
    edit(file, lambda tree: tree["config"]["generator"].update(width=65_536))
    with pytest.raises(BundleError, match="do not fit the network"):
        load_trained(old / "gan-stopped")
    edit(file, lambda tree: tree["config"].update(generator=3))
    with pytest.raises(ResumeError, match=r"'config\.generator' is missing or damaged"):
        load_trained(old / "gan-stopped")


class Watched:
    """A configuration that notes on which device it is built."""

    def __init__(self) -> None:
        self.devices: list[str] = []

    def build(self) -> nn.Linear:
        part = nn.Linear(2, 1)
        self.devices.append(part.weight.device.type)
        return part


def test_nothing_is_built_in_memory_before_the_weights_fit(tmp_path: Path) -> None:
    fitting = {"weight": torch.ones(1, 2), "bias": torch.zeros(1)}
    watched = Watched()
    assert rebuild(lambda: watched, fitting, tmp_path).weight.tolist() == [[1.0, 1.0]]
    assert watched.devices == ["meta", "cpu"]
    for wrong, words in (
        ({"bias": torch.zeros(2)}, r"bias is float32 \(1,\) in it, not float32 \(2,\)"),
        ({"bias": torch.zeros(1).half()}, "not float16"),
        ({"more": torch.zeros(1)}, "no more in it"),
        ({"bias": torch.full((1,), float("nan"))}, "bias is not finite"),
    ):
        watched = Watched()
        with pytest.raises(BundleError, match=words):
            rebuild(lambda: watched, fitting | wrong, tmp_path)  # noqa: B023
        assert watched.devices == ["meta"]
    with pytest.raises(BundleError, match="bias is missing"):
        rebuild(Watched, {"weight": torch.ones(1, 2)}, tmp_path)


@pytest.mark.parametrize(
    ("kind", "part", "change", "words"),
    [
        ("gan", "data", {"size": "16"}, r"'data\.size' is missing or damaged"),
        ("gan", "data", {"class_names": "abc"}, r"data\.class_names"),
        ("gan", "data", {"class_names": [1]}, r"data\.class_names\.0"),
        ("gan", "card", {"scores": []}, r"card\.scores"),
        ("gan", "card", {"scores": {"fd": 3}}, r"card\.scores\.fd"),
        ("gan", "card", {"scores": {"fd": {"value": "low"}}}, r"card\.scores\.fd\.value"),
        ("classifier", "data", {"class_names": ["a"]}, "names 1 classes of 1 labels"),
        ("classifier", "data", {"class_names": None}, r"data\.class_names"),
        ("classifier", "data", {"label_parts": 3}, "of 3 labels"),
        ("classifier", "data", {"label_parts": True}, r"data\.label_parts"),
    ],
)
def test_facts_of_other_types_are_refused(
    old: Path, kind: str, part: str, change: dict[str, Any], words: str
) -> None:
    file = old / kind / "bundle" / "config.json"
    edit(file, lambda tree: tree[part].update(change))
    with pytest.raises(BundleError, match=words):
        LOAD[kind](old / kind)


def test_without_a_source_the_real_images_are_asked_for(old: Path) -> None:
    edit(old / "gan" / "bundle" / "config.json", lambda tree: tree["data"].pop("source"))
    with pytest.raises(BundleError, match="does not say what it was trained on"):
        orthogan.evaluate(old / "gan")
    assert len(orthogan.load(old / "gan").sample(range(2))) == 2


def restated(run: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Changes the state of a checkpoint, and its checksum as well."""
    (file,) = run.glob("checkpoints/*/state.json")
    record = json.loads(file.read_text())
    change(record["state"])
    record["state_sha256"] = hashlib.sha256(json.dumps(record["state"]).encode()).hexdigest()
    file.write_text(json.dumps(record))


def go_on(old: Path, kind: str = "gan", **options: Any) -> Any:
    run = old / f"{kind}-stopped"
    settings = old / "settings.json"
    healthy = json.loads((OLD / f"{kind}-stopped" / "run.json").read_text())
    settings.write_text(json.dumps(healthy["config"]))
    train, source = {
        "gan": (orthogan.train, "blobs.npz"),
        "classifier": (orthogan.classify, "blobs.npz"),
        "language": (orthogan.train_language, "rhyme.txt"),
    }[kind]
    usual = {"device": "cpu", "config": settings, "show_progress": False}
    return train(old / source, run=run, **(usual | options))


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("gan", lambda state: state.pop("elapsed_s")),
        ("gan", lambda state: state.update(elapsed_s=float("nan"))),
        ("gan", lambda state: state.update(elapsed_s=-1.0)),
        ("gan", lambda state: state.update(scores=[1])),
        ("gan", lambda state: state.update(images_seen="320")),
        ("gan", lambda state: state.update(images_seen=321)),
        ("gan", lambda state: state.update(attempt=None) or state.pop("attempt")),
        ("gan", lambda state: state.update(attempt="1")),
        ("gan", lambda state: state["watch"].update(looks="1")),
        ("gan", lambda state: state["watch"].update(self=1)),
        ("gan", lambda state: state.update(watch=[])),
        ("gan", lambda state: state["alarm"].update(looks={"mode_collapse": "x"})),
        ("classifier", lambda state: state.pop("images_seen")),
        ("language", lambda state: state.update(tokens_seen=1.5)),
    ],
)
def test_a_state_of_another_shape_is_refused(
    old: Path, one_thread: None, kind: str, change: Callable[[dict[str, Any]], object]
) -> None:
    restated(old / f"{kind}-stopped", change)
    with pytest.raises(ResumeError, match="remove that checkpoint, or choose another --run"):
        go_on(old, kind)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda tensors: tensors.pop("average/dense.0.weight"), "no average/dense.0.weight in the"),
        (
            lambda tensors: tensors.update({"average/more": torch.ones(1)}),
            "no average/more in this",
        ),
        (
            lambda tensors: tensors.update({"generator/norm.weight": torch.ones(9)}),
            r"float32 \(8,\) here, torch.float32 \(9,\) in the checkpoint",
        ),
        (
            lambda tensors: tensors.update({"generator/norm.weight": torch.ones(8).double()}),
            "float64",
        ),
        (
            lambda tensors: tensors.update({"generator_optimizer/999/step": torch.ones(())}),
            "generator_optimizer/999/step is no moment here",
        ),
        (
            lambda tensors: tensors.update({"generator_optimizer/-1/step": torch.ones(())}),
            "is no moment here",
        ),
        (lambda tensors: tensors.update({"generator_optimizer/x": torch.ones(())}), "no moment"),
        (
            lambda tensors: tensors.update(
                {n: torch.ones(3, 5) for n in list(tensors) if n.endswith("exp_avg_sq")}
            ),
            "exp_avg_sq is no moment here",
        ),
        (lambda tensors: [tensors.pop(n) for n in list(tensors) if n.endswith("_sq")], "lacks mom"),
    ],
)
def test_tensors_of_another_trainer_are_refused(
    old: Path, one_thread: None, change: Callable[[dict[str, torch.Tensor]], object], words: str
) -> None:
    (file,) = (old / "gan-stopped").glob("checkpoints/*/tensors.safetensors")
    tensors = load(file.read_bytes())
    change(tensors)
    data = save(tensors)
    file.write_bytes(data)
    edit(
        file.with_name("state.json"),
        lambda record: record.update(sha256=hashlib.sha256(data).hexdigest()),
    )
    with pytest.raises(ResumeError, match=words):
        go_on(old)


def test_the_limits_hold_for_settings_too() -> None:
    assert GENERATORS["attention"](blocks=256).blocks == 256
    assert load_checkpoint(OLD / "gan-stopped") is not None
    assert bundle.load_bundle(OLD / "gan" / "bundle").fact("source").endswith("blobs.npz")

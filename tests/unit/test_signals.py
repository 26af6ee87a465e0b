"""Looks at the geometry during training: what they read, and that they leave no trace."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from disturbances import at_step, final_bits
from torch import Tensor, nn

from orthogan.attention import Attention, score_names
from orthogan.attention.scores import score_traits
from orthogan.data import load, to_floats
from orthogan.gan import api
from orthogan.gan.recipes import RECIPES
from orthogan.gan.signals import NUM_IMAGES, Signals
from orthogan.gan.trainer import Trainer
from orthogan.gan.watch.alarm import Alarm
from orthogan.gan.watch.detectors import GEOMETRY
from orthogan.gan.watch.detectors import GEOMETRY_PATIENCE as PATIENCE
from orthogan.geometry import head_forms
from orthogan.geometry.heads import largest_share
from orthogan.models.bundle.tensors import digest, pack
from orthogan.networks.activations import run_with_activations
from orthogan.training.run_folder import read_metrics

CPU = torch.device("cpu")
EVERY = "signals_every=64"

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def make(tiny_file: Path, tiny_settings: Callable[..., tuple[str, ...]]) -> Callable[..., Trainer]:
    def trainer(*settings: str, model: str = "attention-gan") -> Trainer:
        wanted = tiny_settings(model, *settings)
        config = api.resolve(tiny_file, model=model, images=640, settings=wanted)
        return Trainer(config, load(tiny_file), CPU)

    return trainer


def look(trainer: Trainer) -> dict[str, Any]:
    signals = Signals(trainer.config, trainer.images, trainer.precision)
    return signals.measure(trainer.generator, trainer.discriminator)


def shares(site: dict[str, float]) -> float:
    return site["position"] + site["context"] + site["residual"]


SITES = {
    "attention-gan": (["positions", "blocks.0"], ["positions", "blocks.0"], 1),
    "stacked-mnist": (["positions", "blocks.0"], ["positions", "blocks.0"], 1),
    "faithful": (["positions", "blocks.0"], ["positions", "blocks.0"], 1),
    "transformer-gan": (["positions", "blocks.0"], ["positions", "blocks.0"], 1),
    "conv-gan": (["blocks.0"], ["layers.6"], 0),
}


@pytest.mark.parametrize("model", list(RECIPES))
def test_each_recipe_is_read_at_each_of_its_sites(make, model: str) -> None:
    trainer = make("condition=classes", "precision=bfloat16", model=model)
    trainer.step(0.0)
    found = look(trainer)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    made, judged, layers = SITES[model]
    generator, discriminator = found["generator"], found["discriminator"]
    assert list(generator["tokens"]) == made
    assert list(discriminator["tokens"]) == judged
    for site in generator["tokens"].values():
        assert shares(site) == pytest.approx(1)
    for site in (found["images"], *discriminator["tokens"].values()):
        assert shares(site["real"]) == pytest.approx(1) == shares(site["fake"])
        assert site["variation"] > 0
    for player in (generator, discriminator):
        assert len(player["attention"]) == layers == len(player["overlap"])
        assert 0 < player["rank"] < 1.5
        for layer in player["attention"].values():
            for entropy, bound in zip(layer["entropy"], layer["bound"], strict=True):
                assert 0 <= bound <= entropy + 1e-6
    assert 0 <= found["mode_collapse"] < 1
    assert found["generator_rank_collapse"] == generator["tokens"][made[-1]]["rank_collapse"]
    assert discriminator["spectrum"]["logit"]["norm"] > 0
    assert set(discriminator["features"]) == {"real_rank", "fake_rank"}


def test_a_look_leaves_no_trace_and_repeats_itself(make) -> None:
    trainer, apart = make(), make()
    signals = Signals(trainer.config, trainer.images, trainer.precision)
    trainer.discriminator.blocks[0].eval()
    before = torch.get_rng_state()
    for _ in range(10):
        trainer.step(0.0)
        apart.step(0.0)
        first = signals.measure(trainer.generator, trainer.discriminator)
    assert digest(pack(trainer.tensors())) == digest(pack(apart.tensors()))
    assert look(apart) == first
    assert torch.equal(torch.get_rng_state(), before)
    assert trainer.discriminator.training
    assert not trainer.discriminator.blocks[0].training
    for module in (*trainer.generator.modules(), *trainer.discriminator.modules()):
        assert not module._forward_hooks
        assert not module._forward_pre_hooks


def test_hooks_go_and_modes_come_back_after_an_error() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(3, 1))
    with pytest.raises(RuntimeError):
        run_with_activations(network, torch.zeros(2, 1, 2, 2))
    assert network.training
    assert not network[0]._forward_pre_hooks


def test_attention_is_that_of_the_layers(make) -> None:
    trainer = make("condition=none")
    trainer.step(0.0)
    layer = trainer.discriminator.blocks[0].attention
    output, passage = run_with_activations(trainer.discriminator, torch.zeros(3, 1, 16, 16))
    assert torch.equal(output, trainer.discriminator(torch.zeros(3, 1, 16, 16)))
    tokens = passage.tokens["positions"]
    assert torch.equal(passage.weights["blocks.0.attention"], layer.weights(tokens))
    assert torch.equal(trainer.discriminator.logit(passage.features[0])[:, 0], output)
    found = look(trainer)["discriminator"]["attention"]["blocks.0.attention"]
    key = layer.key_value.weight[: layer.num_projected]
    halves = [weight.unflatten(0, (2, 4)).mT for weight in (layer.query.weight, key)]
    whole = [largest_share(form) for form in head_forms(*halves)]
    assert found["largest_share"] == pytest.approx(whole)


@pytest.mark.parametrize("score", score_names())
def test_entropy_is_read_where_weights_are_distributions(make, score: str) -> None:
    found = look(make(f"generator.score={score}", f"discriminator.score={score}"))
    for player in ("generator", "discriminator"):
        (layer,) = found[player]["attention"].values()
        assert ("entropy" in layer) == score_traits(score).sums_to_one
        assert len(layer["largest_share"]) == 2


@pytest.mark.parametrize("keys", ["queries", "values", "identity"])
def test_the_form_is_read_where_weights_make_the_keys(make, keys: str) -> None:
    trainer = make()
    trainer.discriminator.blocks[0].attention = Attention(8, 2, keys=keys)
    (layer,) = look(trainer)["discriminator"]["attention"].values()
    assert ("largest_share" in layer) == (keys != "identity")


def test_identical_fakes_are_a_complete_mode_collapse(make) -> None:
    trainer = make()
    alive = trainer.generator.synthesise
    trainer.generator.synthesise = lambda noise: alive(noise)[:1].expand(len(noise), -1, -1, -1)
    found = look(trainer)
    assert found["mode_collapse"] == 1.0
    assert found["images"]["fake"]["position"] == 1.0
    assert found["discriminator"]["features"]["fake_rank"] == 0.0
    assert found["discriminator"]["features"]["real_rank"] > 0.1
    assert found["discriminator_rank_collapse"] < 0.5


def alike(_module: nn.Module, _inputs: Any, tokens: Tensor) -> Tensor:
    return tokens[:, :1].expand_as(tokens)


@pytest.mark.parametrize("player", ["generator", "discriminator"])
def test_identical_tokens_are_a_complete_rank_collapse(make, player: str) -> None:
    trainer = make()
    healthy = look(trainer)
    getattr(trainer, player).blocks[0].register_forward_hook(alike)
    found = look(trainer)
    assert healthy[f"{player}_rank_collapse"] < 0.5
    assert found[f"{player}_rank_collapse"] == 1.0
    last = found[player]["tokens"]["blocks.0"]
    assert (last if player == "generator" else last["real"])["uniformity"] == pytest.approx(1)


def test_a_weight_that_is_not_finite_is_told(make) -> None:
    trainer = make()
    with torch.no_grad():
        trainer.discriminator.positions.codes[0, 0] = float("nan")
    assert look(trainer) == {
        "unreadable": "'states' holds NaN or infinite values; check where it comes from."
    }


def test_a_small_set_is_shown_more_than_once(make) -> None:
    trainer = make()
    few = load(trainer.config.data.source)
    signals = Signals(trainer.config, type(few)(few.images[:3]), trainer.precision)
    assert len(signals.real) == NUM_IMAGES
    assert len(signals.real.unique(dim=0)) == 3


def lines(run: Path, event: str = "geometry") -> list[dict[str, Any]]:
    return [line for line in read_metrics(run / "metrics.jsonl") if line["event"] == event]


def test_a_stopped_and_resumed_run_has_the_same_lines(
    train_tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_tiny(tmp_path / "whole", EVERY, images=192)
    assert [line["images_seen"] for line in lines(tmp_path / "whole")] == [64, 128, 192]
    with monkeypatch.context() as patch:
        at_step(patch, 7, lambda _: os.kill(os.getpid(), signal.SIGINT))
        train_tiny(tmp_path / "parts", EVERY, images=192)
    train_tiny(tmp_path / "parts", EVERY, images=192)
    whole, parts = (
        [(line["images_seen"], line["geometry"]) for line in lines(tmp_path / run)]
        for run in ("whole", "parts")
    )
    assert parts == whole
    train_tiny(tmp_path / "blind", "signals_every=null", images=192)
    assert lines(tmp_path / "blind") == []
    assert final_bits(tmp_path / "blind") == final_bits(tmp_path / "whole")
    assert final_bits(tmp_path / "parts") == final_bits(tmp_path / "whole")


def test_a_look_falls_where_a_step_passes_the_mark(train_tiny, tmp_path: Path) -> None:
    train_tiny(tmp_path / "run", "signals_every=50", images=112)
    assert [line["images_seen"] for line in lines(tmp_path / "run")] == [64, 112]


def test_looks_may_be_switched_off_on_the_way(
    train_tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        at_step(patch, 5, lambda _: os.kill(os.getpid(), signal.SIGINT))
        train_tiny(tmp_path / "run", EVERY, images=128)
    assert train_tiny(tmp_path / "run", "signals_every=null", images=128).status == "done"
    assert [line["images_seen"] for line in lines(tmp_path / "run")] == [64]


@pytest.mark.parametrize("healthy_images", [64, 1000])
def test_a_collapse_is_told_once_and_a_healthy_run_is_not(
    train_tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys, healthy_images: int
) -> None:
    start = Trainer._start

    def planted(trainer: Trainer) -> None:
        start(trainer)
        alive, real = trainer.generator.synthesise, to_floats(trainer.images.images)

        def synthesise(noise: Tensor) -> Tensor:
            fakes = alive(noise) + real[: len(noise)]
            return fakes if trainer.images_seen < healthy_images else fakes * 0

        trainer.generator.synthesise = synthesise

    monkeypatch.setattr(Trainer, "_start", planted)
    settings = ("signals_every=32", "rollbacks=0")
    train_tiny(tmp_path / "run", *settings, show_progress=True, images=192)
    alarms, told = lines(tmp_path / "run", "alarm"), capsys.readouterr().err
    if healthy_images == 1000:
        assert alarms == []
        assert "collapse" not in told
        return
    (alarm,) = alarms
    assert alarm["images_seen"] == 32 * (1 + PATIENCE)
    assert alarm["reasons"] == [
        "mode collapse: the generated images have lost 100% of the variation of real ones"
    ]
    assert f"of real ones, at {alarm['images_seen']} images (docs/geometry.md)." in told
    assert told.count("Mode collapse") == 1


def test_a_checkpoint_from_before_the_alarm_is_read(make) -> None:
    trainer = make()
    state = trainer.state()
    del state["alarm"]
    trainer.alarm.update({"mode_collapse": 1.0}, 1000)
    trainer.restore(trainer.tensors(), state)
    assert trainer.alarm.looks == Alarm(GEOMETRY).looks

"""The overlap of codes and contents: what it is, and that its penalty lowers it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from orthogan.attention import PositionalEncoding
from orthogan.data import load, to_floats
from orthogan.errors import ConfigError
from orthogan.gan import api
from orthogan.gan.decorrelation import Decorrelation, code_overlap, decorrelated
from orthogan.gan.losses import LOSSES
from orthogan.gan.trainer import Trainer
from orthogan.geometry import place_positions
from orthogan.rng import stream


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(stream(seed, "overlap").standard_normal(shape))


def test_it_is_the_mean_squared_product_relative_to_its_largest() -> None:
    codes, content = draw(5, 4), draw(3, 6, 4, seed=1)
    rows = content.flatten(0, 1)
    p, e = codes - codes.mean(0), rows - rows.mean(0)
    products = sum(float(a @ b) ** 2 for a in p for b in e) / (len(p) * len(e))
    size = (p.T @ p / len(p)).norm() * (e.T @ e / len(e)).norm()
    assert float(code_overlap(codes, content)) == pytest.approx(products / float(size), rel=1e-12)


@given(st.integers(0, 10_000), st.integers(1, 5), st.floats(0.01, 100))
@settings(max_examples=20, deadline=None)
def test_it_lies_in_the_unit_range_and_knows_no_shift_scale_or_rotation(
    seed: int, width: int, scale: float
) -> None:
    codes, content = draw(4, width, seed=seed), draw(2, 3, width, seed=seed + 1)
    found = float(code_overlap(codes, content))
    assert 0 <= found <= 1 + 1e-12
    turn = torch.linalg.qr(draw(width, width, seed=seed + 2)).Q
    moved = code_overlap(scale * codes @ turn + 3, content @ turn - 5)
    assert float(moved) == pytest.approx(found, abs=1e-9)


def test_no_rotation_has_less_than_placed_codes() -> None:
    codes, content = draw(5, 4), draw(3, 6, 4, seed=1) * torch.tensor([4.0, 3.0, 2.0, 1.0])
    least = float(code_overlap(place_positions(codes - codes.mean(0), content[0]), content[:1]))
    for seed in range(20):
        turn = torch.linalg.qr(draw(4, 4, seed=seed)).Q
        assert float(code_overlap(codes @ turn, content[:1])) >= least - 1e-12


def test_what_does_not_vary_overlaps_nothing() -> None:
    assert float(code_overlap(torch.ones(3, 2), draw(2, 3, 2))) == 0.0
    assert float(code_overlap(draw(3, 2), torch.ones(2, 3, 2).double())) == 0.0


def test_gradients_reach_codes_and_contents() -> None:
    codes, content = draw(3, 2).requires_grad_(), draw(2, 3, 2).requires_grad_()
    assert torch.autograd.gradcheck(code_overlap, (codes, content))


@pytest.fixture
def make(
    tiny_file: Path, tiny_settings: Callable[..., tuple[str, ...]], one_thread: None
) -> Callable[..., Trainer]:
    def trainer(*settings: str, model: str = "attention-gan") -> Trainer:
        wanted = tiny_settings(model, *settings)
        config = api.resolve(tiny_file, model=model, images=640, settings=wanted)
        return Trainer(config, load(tiny_file), torch.device("cpu"))

    return trainer


def overlaps(trainer: Trainer) -> list[float]:
    for _ in range(12):
        trainer.step(trainer.images_seen / 640)
    inputs = draw(32, 8).float(), to_floats(trainer.images.images[:32])
    found = []
    for player, shown in zip((trainer.generator, trainer.discriminator), inputs, strict=True):
        watched = Decorrelation(player, 1.0)
        player(shown)
        found.append(float(torch.as_tensor(watched.term()).detach()))
    return found


@pytest.mark.parametrize(
    ("model", "kind"), [("attention-gan", "exact"), ("transformer-gan", "finite-difference")]
)
def test_a_few_steps_lower_the_overlap_in_both_players(make, model: str, kind: str) -> None:
    more = (f"penalty.kind={kind}", "precision=float32")
    without = overlaps(make(*more, model=model))
    with_it = overlaps(make(*more, "decorrelation=30", model=model))
    for before, after in zip(without, with_it, strict=True):
        assert after < 0.9 * before


def test_fixed_codes_move_the_contents(make) -> None:
    fixed = ("generator.positions=sinusoidal", "discriminator.positions=none", "precision=float32")
    trainer = make(*fixed, "decorrelation=30")
    codes = trainer.generator.positions.codes.clone()
    plain = make(*fixed)
    for _ in range(12):
        trainer.step(0.0)
        plain.step(0.0)
    assert torch.equal(trainer.generator.positions.codes, codes)
    latents = draw(32, 8).float()
    found = [
        float(code_overlap(codes, one.generator.dense(latents)).detach())
        for one in (trainer, plain)
    ]
    assert found[0] < found[1]


def test_no_weight_is_no_change_at_all(make) -> None:
    trainer = make()
    assert trainer.loss is LOSSES[trainer.config.loss]
    assert not trainer.generator.positions._forward_pre_hooks


@pytest.mark.parametrize(
    ("model", "more"),
    [
        ("conv-gan", ()),
        ("attention-gan", ("generator.positions=none", "discriminator.positions=none")),
    ],
)
def test_networks_without_codes_refuse_a_weight(make, model: str, more: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match=r"decorrelation=1.0 needs position codes"):
        make("decorrelation=1", *more, model=model)


def test_codes_behind_the_tokens_are_perpendicular_already() -> None:
    network = PositionalEncoding("learned", 2, 2, 4, position_mode="concatenate")
    with pytest.raises(ConfigError, match="neither network has any"):
        decorrelated(LOSSES["hinge"], network, network, 1.0)


def test_the_graph_of_a_step_is_let_go(make) -> None:
    trainer = make("decorrelation=1")
    trainer.step(0.0)
    (hook,) = trainer.discriminator.positions._forward_pre_hooks.values()
    assert not hook.__self__._contents

"""What every registered classifier promises."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from orthogan.errors import ConfigError, ShapeError, UnknownNameError
from orthogan.networks import CLASSIFIERS, Classifier, network_config
from orthogan.networks.stems import build_stem, grid_side
from orthogan.rng import initialization, normal, stream
from orthogan.testing.network_inputs import BATCH, images, other_value, woken

EVERY = pytest.mark.parametrize("kind", list(CLASSIFIERS))
STEMS = ("convolutional", "patch", "both")


def build(kind: str, **settings: Any) -> Classifier:
    with initialization(0, "contract"):
        return CLASSIFIERS[kind](**settings).build().eval()


def num_linear(network: nn.Module) -> int:
    return sum(isinstance(part, nn.Linear) for part in network.modules())


@EVERY
@pytest.mark.parametrize("size", [16, 28, 64])
@pytest.mark.parametrize("colours", [1, 3])
def test_logits_features_and_maps_have_their_shapes(kind: str, size: int, colours: int) -> None:
    network = build(kind, size=size, colours=colours, classes=7, labels=2)
    shown = images(size, colours)
    logits = network(shown)
    assert logits.shape == (BATCH, 2, 7)
    assert not torch.allclose(logits[0], logits[1])
    assert float(logits.detach().abs().max()) < 10
    assert network.features(shown).shape == (BATCH, network.num_features)
    maps = network.attention_maps(shown)
    assert maps.dim() == 5
    assert maps.shape[0] == BATCH


@EVERY
def test_logits_are_linear_in_the_features(kind: str) -> None:
    network = build(kind, size=16, labels=2)
    logits = network.head(network.features(images()))
    torch.testing.assert_close(network(images()), logits.reshape(BATCH, 2, 10))


@EVERY
def test_each_image_is_judged_alone(kind: str) -> None:
    network = build(kind, size=16)
    torch.testing.assert_close(network(images())[:1], network(images()[:1]), rtol=1e-4, atol=1e-4)


@EVERY
@pytest.mark.parametrize("wrong", [images(28), images(16, 3), images(16)[..., :12]])
def test_images_of_another_shape_are_refused(kind: str, wrong: Tensor) -> None:
    with pytest.raises(ShapeError, match=r"Expected images \(1, 16, 16\), got \("):
        build(kind, size=16)(wrong)


@EVERY
@pytest.mark.parametrize("settings", [{}, {"stem": "both"}, {"read_out": "mean"}], ids=str)
def test_every_parameter_gets_a_gradient(kind: str, settings: dict[str, Any]) -> None:
    network = build(kind, size=16, labels=2, **settings).train()
    woken(network)
    network(images()).square().mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert bool(torch.isfinite(parameter.grad).all()), name
        assert float(parameter.grad.abs().max()) > 0, name


@EVERY
def test_bfloat16_is_close(kind: str) -> None:
    network = build(kind, size=16)
    exact = network(images())
    with torch.autocast("cpu", torch.bfloat16):
        rounded = network(images()).float()
    torch.testing.assert_close(rounded, exact, rtol=0.1, atol=0.1 * float(exact.detach().std()))


@EVERY
def test_saving_and_restoring(kind: str) -> None:
    first, second = build(kind, size=16), build(kind, size=16)
    woken(first)
    assert not torch.equal(first(images()), second(images()))
    second.load_state_dict(first.state_dict())
    assert torch.equal(first(images()), second(images()))


def shapes(network: nn.Module) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in network.state_dict().items()}


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (kind, name)
        for kind in CLASSIFIERS
        for name in CLASSIFIERS[kind].model_fields
        if name
        not in ("kind", "initialization")  # the first weights: see test_attending_networks.py
    ],
)
def test_every_setting_has_effect(kind: str, name: str) -> None:
    base = CLASSIFIERS[kind](size=16)
    changed = base.evolve(**{name: other_value(base, name)})
    with initialization(0, "contract"):
        one, other = base.build().eval(), changed.build().eval()
    if name == "size":
        assert other(images(32)).shape == (BATCH, 1, 10)
        return
    if shapes(one) == shapes(other):
        woken(one)
        other.load_state_dict(one.state_dict())
        assert not torch.allclose(one(images()), other(images()), atol=1e-5)


@EVERY
@pytest.mark.parametrize(
    "settings",
    [
        {"size": 12},
        {"colours": 2},
        {"classes": 1},
        {"labels": 0},
        {"hiden": 3},
        {"channels": 1},
        {"stem": "linear"},
        {"patch": 5},
        {"read_out": "max"},
        {"kind": "other"},
    ],
)
def test_impossible_settings_are_refused(kind: str, settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(settings))):
        CLASSIFIERS[kind](**settings)


@EVERY
def test_names_inside_are_checked(kind: str) -> None:
    for name in ("score", "positions"):
        with pytest.raises(UnknownNameError, match="Known: "):
            CLASSIFIERS[kind](**{name: "nothing"}).build()
    with pytest.raises(ConfigError, match="must be a multiple of heads = 7"):
        CLASSIFIERS[kind](heads=7).build()
    with pytest.raises(ConfigError, match="class token never sees the image"):
        CLASSIFIERS[kind](blocks=0).build()


def test_configurations_are_found_by_kind() -> None:
    for kind in CLASSIFIERS:
        config = network_config(CLASSIFIERS, {"kind": kind, "size": 16})
        assert network_config(CLASSIFIERS, config.to_dict()) == config
    with pytest.raises(UnknownNameError, match="Unknown classifier 'atention'"):
        network_config(CLASSIFIERS, {"kind": "atention"})


@pytest.mark.parametrize("kind", STEMS)
@pytest.mark.parametrize("patch", [4, 8])
@pytest.mark.parametrize("size", [16, 20, 28, 64])
def test_stems_cut_a_square_grid(kind: Any, patch: int, size: int) -> None:
    stem = build_stem(kind, 1, 4, 6, patch).eval()
    assert stem(images(size)).shape == (BATCH, grid_side(size, patch) ** 2, 6)


@pytest.mark.parametrize("kind", STEMS)
def test_tokens_run_in_row_column_order(kind: Any) -> None:
    with initialization(0, "stem"):
        stem = build_stem(kind, 1, 4, 6, 4).eval()
    shown = torch.zeros(1, 1, 32, 32)
    shown[0, 0, 9, 22] = 1.0  # in the patch of row 2, column 5 of 8 x 8
    moved = (stem(shown) - stem(torch.zeros_like(shown))).norm(dim=2)[0].detach()
    rows = (moved.reshape(8, 8) * torch.arange(8.0)[:, None]).sum() / moved.sum()
    cols = (moved.reshape(8, 8) * torch.arange(8.0)).sum() / moved.sum()
    assert float(rows) == pytest.approx(2, abs=0.8)
    assert float(cols) == pytest.approx(5.3, abs=0.8)


def test_neighbouring_patches_overlap() -> None:
    stem = build_stem("patch", 1, 4, 6, 4)
    base = stem(torch.zeros(1, 1, 16, 16))
    counts = []
    for row in range(4, 12):
        shown = torch.zeros(1, 1, 16, 16)
        shown[0, 0, row, 6] = 1.0
        counts.append(int(((stem(shown) - base).abs().sum(2) > 0).sum()))
    assert max(counts) == 4
    assert min(counts) >= 2


def test_the_class_token_reads_where_its_attention_lies() -> None:
    network = build("attention", size=16, blocks=1, heads=2)
    maps = network.attention_maps(images())
    assert maps.shape == (BATCH, 1, 2, 4, 4)
    tokens = network._tokens(images())
    block = network.blocks[0]
    whole = block.attention.weights(block.attention_norm(tokens))
    torch.testing.assert_close(maps[:, 0].flatten(2), whole[:, :, 0, 1:])
    torch.testing.assert_close(whole.sum(-1), torch.ones(BATCH, 2, 17))


def test_mean_maps_are_what_each_patch_gives() -> None:
    network = build("attention", size=16, read_out="mean")
    maps = network.attention_maps(images())
    torch.testing.assert_close(maps.sum(dim=(3, 4)), torch.ones(BATCH, 2, 4))


def test_without_codes_a_mean_is_blind_to_the_order_of_patches() -> None:
    network = build("attention", size=16, stem="patch", positions="none", read_out="mean")
    tokens = network._tokens(images())
    shuffled = tokens[:, torch.randperm(16, generator=torch.Generator().manual_seed(0))]

    def read(given: Tensor) -> Tensor:
        for block in network.blocks:
            given = block(given)
        return network.norm(given).mean(1)

    torch.testing.assert_close(read(tokens), read(shuffled), atol=1e-5, rtol=1e-4)
    coded = build("attention", size=16, stem="patch", read_out="mean")
    woken(coded)
    moved = images().roll(4, dims=3)
    assert not torch.allclose(coded(moved), coded(images()), atol=1e-4)


def test_without_expansion_a_block_is_attention_alone() -> None:
    network = build("attention", size=16, blocks=1, expansion=0)
    assert num_linear(network) == num_linear(build("attention", size=16, blocks=1)) - 2
    block, tokens = network.blocks[0], normal((BATCH, 5, 96), stream(0, "tokens"))
    alone = tokens + block.attention(block.attention_norm(tokens))
    torch.testing.assert_close(block(tokens), alone)


@pytest.mark.parametrize("position_mode", ["add", "concatenate", "rotate", "untied"])
def test_blocks_add_to_float32_tokens_in_lower_precision(position_mode: str) -> None:
    network = build("attention", size=16, positions="sinusoidal", position_mode=position_mode)
    met: list[torch.dtype] = []
    network.blocks[0].register_forward_pre_hook(lambda _, inputs: met.append(inputs[0].dtype))
    with torch.autocast("cpu", torch.bfloat16):
        network(images())
    assert met == [torch.float32]

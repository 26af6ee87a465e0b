"""What every attending network promises: each kind of keys with each way positions may enter."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from orthogan.attention import Rotary, UntiedPositions, key_names, position_names
from orthogan.errors import ConfigError, DataError
from orthogan.networks import CLASSIFIERS, DISCRIMINATORS, GENERATORS, network_config
from orthogan.networks.attending import AttendingConfig, code_width
from orthogan.networks.calibration import calibrate, needs_calibration
from orthogan.rng import initialization, normal, stream

WIDTH, SIDE = 8, {"generator": 4, "discriminator": 2, "classifier": 4}
POSITION_MODES = ("add", "concatenate", "rotate", "untied", "orthogonal")
SMALL = {"size": 16, "width": WIDTH, "heads": 2, "blocks": 1, "score": "softmax"}
NETWORKS = [
    ("generator", GENERATORS["attention"], {"latent_size": 4, "hidden": 4, "channels": 2}),
    ("generator", GENERATORS["transformer"], {"latent_size": 4, "style_size": 4, "channels": 2}),
    ("discriminator", DISCRIMINATORS["attention"], {"channels": 2, "hidden": 4}),
    ("discriminator", DISCRIMINATORS["transformer"], {"channels": 2, "hidden": 4}),
    ("classifier", CLASSIFIERS["attention"], {"channels": 2}),
]
EVERY = pytest.mark.parametrize(
    ("role", "config"),
    [(role, kind(**SMALL, **more)) for role, kind, more in NETWORKS],
    ids=[kind.__name__.removesuffix("Config") for _, kind, _ in NETWORKS],
)


def build(config: Any, role: str) -> nn.Module:
    """A network that has seen its first tokens, with every gate open."""
    with initialization(0, "attending"):
        network: nn.Module = config.build()
    woken(network)
    if needs_calibration(network):
        calibrate(network, inputs(role))
    return network.eval()


def woken(network: nn.Module) -> None:
    parameters = list(network.parameters())
    sizes = [parameter.numel() for parameter in parameters]
    draws = normal((sum(sizes),), stream(0, "wake")).split(sizes)
    with torch.no_grad():
        for parameter, draw in zip(parameters, draws, strict=True):
            parameter.add_(0.4 * draw.view_as(parameter))


def inputs(role: str, batch: int = 4) -> Tensor:
    shape = (batch, 4) if role == "generator" else (batch, 1, 16, 16)
    return normal(shape, stream(0, "inputs"))


def size_of(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def is_meaningful(
    keys: str, positions: str, position_mode: str, initialization: str, score: str
) -> bool:
    if keys == "dual" and score == "cosine":
        return False
    if initialization == "mimetic" and keys not in ("learned", "dual"):
        return False
    if position_mode in ("rotate", "orthogonal"):
        return positions.startswith("sinusoidal")
    return position_mode == "add" or positions != "none"


CHOICES = ("keys", "positions", "position_mode", "initialization", "score")
COMBINATIONS = list(
    itertools.product(
        key_names(),
        position_names(),
        POSITION_MODES,
        ("standard", "mimetic"),
        ("softmax", "cosine"),
    )
)


@EVERY
def test_every_meaningful_combination_works(role: str, config: AttendingConfig) -> None:
    shown = inputs(role)
    for names in COMBINATIONS:
        if names[3:] == ("standard", "softmax") and is_meaningful(*names):
            settings = dict(zip(CHOICES, names, strict=True))
            made = build(config.evolve(**settings), role)(shown)
            assert bool(made.isfinite().all()), settings
            assert float(made.detach().std(dim=0).max()) > 0, settings


def test_every_other_combination_is_refused() -> None:
    config = GENERATORS["attention"](**SMALL)
    for names in COMBINATIONS:
        settings = dict(zip(CHOICES, names, strict=True))
        if is_meaningful(*names):
            assert config.evolve(**settings).settings().items() >= settings.items()
        else:
            with pytest.raises(ConfigError, match=r"\.$"):
                config.evolve(**settings)


@EVERY
@pytest.mark.parametrize(
    "settings",
    [
        {"keys": "dual", "positions": "sinusoidal", "position_mode": "untied"},
        {"keys": "whitened", "positions": "sinusoidal", "position_mode": "rotate"},
        {"keys": "values", "positions": "learned", "position_mode": "untied"},
        {"keys": "queries", "positions": "learned", "position_mode": "concatenate"},
        {"keys": "identity", "positions": "sinusoidal", "position_mode": "orthogonal"},
        {"key_size": 4, "initialization": "mimetic"},
    ],
    ids=lambda settings: "-".join(map(str, settings.values())),
)
def test_every_weight_is_reached_and_so_by_the_penalty(
    role: str, config: AttendingConfig, settings: dict[str, Any]
) -> None:
    network = build(config.evolve(**settings), role)
    shown = inputs(role).requires_grad_()
    made = network(shown)
    parameters = dict(network.named_parameters())
    gradients = torch.autograd.grad(made.square().sum(), parameters.values(), retain_graph=True)
    for name, gradient in zip(parameters, gradients, strict=True):
        assert float(gradient.abs().max()) > 0, name
    (slope,) = torch.autograd.grad(made.sum(), shown, create_graph=True)
    slope.square().sum().backward()
    matrices = {name: part for name, part in parameters.items() if part.dim() == 2}
    for name, matrix in matrices.items():
        assert matrix.grad is not None, name
        assert bool(matrix.grad.isfinite().all()), name
        if "codes" not in name:
            assert float(matrix.grad.abs().max()) > 0, name


@EVERY
def test_keys_and_positions_cost_what_they_say(role: str, config: AttendingConfig) -> None:
    base, square = size_of(config.build()), WIDTH * WIDTH
    for keys in key_names():
        saved = 0 if keys in ("learned", "dual") else square
        assert size_of(config.evolve(keys=keys).build()) == base - saved, keys
    assert size_of(config.evolve(key_size=4).build()) == base - 2 * WIDTH * 4
    codes = SIDE[role] ** 2 * WIDTH
    num_class = 1 if hasattr(config.build(), "class_token") else 0
    for positions in position_names():
        stored = codes if positions == "learned" else 0
        assert size_of(config.evolve(positions=positions).build()) == base - codes + stored
        if positions != "none":
            untied = config.evolve(positions=positions, position_mode="untied").build()
            places = codes + num_class * WIDTH if positions == "learned" else 0
            assert size_of(untied) == base - codes + places + 2 * square
    for position_mode in ("rotate", "orthogonal"):
        network = config.evolve(positions="sinusoidal", position_mode=position_mode).build()
        assert size_of(network) == base - codes
    appended = config.evolve(positions="sinusoidal", position_mode="concatenate")
    assert appended.token_width == WIDTH - code_width(WIDTH) == 4
    assert size_of(appended.build()) < base - codes


@EVERY
def test_each_way_gives_other_images_from_the_same_weights(
    role: str, config: AttendingConfig
) -> None:
    shown, blind = inputs(role), build(config.evolve(positions="none"), role)
    answers = {"none": blind(shown)}
    for positions, position_mode in itertools.product(
        ("sinusoidal", "sinusoidal-1d"), ("add", "rotate", "orthogonal")
    ):
        network = build(config.evolve(positions=positions, position_mode=position_mode), role)
        network.load_state_dict(blind.state_dict(), strict=False)
        answers[f"{positions} {position_mode}"] = network(shown)
    for keys in ("learned", "dual"):
        network = build(config.evolve(positions="none", keys=keys), role)
        network.load_state_dict(blind.state_dict())
        answers[keys] = network(shown)
    assert torch.equal(answers.pop("learned"), answers["none"])
    for (name, one), (other_name, other) in itertools.combinations(answers.items(), 2):
        assert not torch.allclose(one, other, rtol=1e-4, atol=1e-6), (name, other_name)


@EVERY
def test_the_mimetic_start_is_another_start_of_the_same_network(
    role: str, config: AttendingConfig
) -> None:
    with initialization(0, "start"):
        standard = config.build()
    with initialization(0, "start"):
        mimetic = config.evolve(initialization="mimetic").build()
    shapes = {name: part.shape for name, part in standard.state_dict().items()}
    assert shapes == {name: part.shape for name, part in mimetic.state_dict().items()}
    layer = mimetic.blocks[0].attention
    product = layer.output.weight @ layer.key_value.weight[WIDTH:]
    assert float(product.diagonal().mean().detach()) == pytest.approx(-0.4, abs=0.2)
    mimetic.load_state_dict(standard.state_dict())
    assert torch.equal(mimetic.eval()(inputs(role)), standard.eval()(inputs(role)))


@pytest.mark.parametrize("positions", ["sinusoidal", "sinusoidal-1d"])
def test_the_class_token_stands_beside_the_grid(positions: str) -> None:
    config = CLASSIFIERS["attention"](**SMALL, positions=positions, position_mode="rotate")
    turned = config.attend(4, num_class=1).positions
    assert isinstance(turned, Rotary)
    angles = turned.angles(turned.coordinates)
    assert angles.shape[0] == 17
    assert float(angles[0].abs().max()) == 0
    plain = config.attend(4).positions
    assert isinstance(plain, Rotary)
    torch.testing.assert_close(angles[2:] - angles[1], plain.angles(plain.coordinates)[1:])
    untied = config.evolve(position_mode="untied").attend(4, num_class=1).positions
    assert isinstance(untied, UntiedPositions)
    codes = config.evolve(position_mode="add").place(4).codes
    assert untied.codes.shape == (17, WIDTH)
    # A sinusoid of two places depends on their distance alone.
    torch.testing.assert_close(untied.codes[1:] @ untied.codes[1:].T, codes @ codes.T)
    assert torch.equal(untied.codes[0], codes[0])
    assert not torch.allclose(untied.codes[1], codes[0])


@EVERY
def test_statistics_are_those_of_the_first_tokens_and_stay(
    role: str, config: AttendingConfig
) -> None:
    chosen = config.evolve(keys="whitened", positions="sinusoidal", position_mode="orthogonal")
    fresh = chosen.build()
    assert needs_calibration(fresh)
    assert not needs_calibration(config.build())
    with pytest.raises(ConfigError, match=r"call place\(tokens\)"):
        fresh(inputs(role))
    network = build(chosen, role).train()
    before = {name: part.clone() for name, part in network.state_dict().items()}
    gram = network.positions.codes @ network.positions.codes.T
    sinusoids = config.evolve(positions="sinusoidal").place(SIDE[role]).codes
    torch.testing.assert_close(gram, sinusoids @ sinusoids.T, rtol=1e-4, atol=1e-4)
    network(inputs(role) + 1)
    for name, part in network.state_dict().items():
        if "attention" in name or "positions" in name:
            assert torch.equal(part, before[name]), name
    again = chosen.build()
    again.load_state_dict(network.state_dict())
    assert torch.equal(again.eval()(inputs(role)), network.eval()(inputs(role)))


def test_whitening_refuses_tokens_that_are_too_few_or_alike() -> None:
    config = DISCRIMINATORS["attention"](**SMALL, channels=2, hidden=4, keys="whitened")
    with pytest.raises(ConfigError, match="4 tokens of width 8 whitened by their own"):
        calibrate(config.build(), inputs("discriminator", batch=1))
    blank = config.evolve(positions="none").build()
    with torch.no_grad():
        blank.stem.coarse.weight.zero_()
    with pytest.raises(DataError, match="tokens are alike"):
        calibrate(blank, inputs("discriminator"))


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"position_mode": "rotate", "positions": "none"}, "no code to inject with positions=none"),
        ({"position_mode": "rotate"}, "positions=learned has no angles"),
        ({"position_mode": "orthogonal"}, "positions=learned goes on moving"),
        ({"position_mode": "untied", "blocks": 0}, "there is none with blocks=0"),
        ({"position_mode": "concatenate", "width": 4}, "leaves nothing of width=4"),
        ({"keys": "values", "key_size": 4}, "Keys tied to the values have their size 8"),
        ({"keys": "whitened", "key_size": 4}, "Keys without a matrix are the tokens"),
        ({"keys": "dual", "score": "l2"}, "which the score 'l2' measures, have none"),
        (
            {"keys": "values", "initialization": "mimetic"},
            "these keys\nhave no matrix|have no matrix of",
        ),
        ({"key_size": 32, "initialization": "mimetic"}, "at most 8"),
    ],
)
def test_what_has_no_meaning_is_refused_in_one_sentence(
    settings: dict[str, Any], reason: str
) -> None:
    base = GENERATORS["attention"](**SMALL)
    with pytest.raises(ConfigError, match=reason) as caught:
        base.evolve(**settings)
    assert str(caught.value).startswith(("position_mode", "Keys", "Dual", "The mimetic"))


def test_configurations_of_earlier_versions_are_the_defaults() -> None:
    later = {"keys", "key_size", "position_mode", "initialization"}
    for registry in (GENERATORS, DISCRIMINATORS, CLASSIFIERS):
        config = registry["attention"]()
        earlier = {name: value for name, value in config.to_dict().items() if name not in later}
        assert len(earlier) == len(config.to_dict()) - len(later)
        assert network_config(registry, earlier) == config

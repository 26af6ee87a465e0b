"""Costs against closed forms: operations by hand, keys and values by counting tokens."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from orthogan.attention import Attention, Rotary, line_coordinates
from orthogan.classification import ClassificationConfig
from orthogan.experiments.classify_task import ClassifyTask
from orthogan.experiments.costs import num_parameters, step_seconds
from orthogan.experiments.flops import FlopCounter
from orthogan.experiments.gan_task import GanTask
from orthogan.experiments.language_task import LanguageTask
from orthogan.gan.recipes import RECIPES
from orthogan.language import LanguageConfig


@pytest.mark.parametrize(
    ("network", "shape", "forward"),
    [
        (nn.Linear(12, 8, bias=False), (4, 12), 2 * 4 * 12 * 8),
        (nn.Conv2d(3, 8, 3, padding=1, bias=False), (4, 3, 6, 6), 2 * 4 * 6 * 6 * 8 * 3 * 9),
    ],
    ids=["linear", "convolution"],
)
def test_operations_of_a_double_backward(
    network: nn.Module, shape: tuple[int, ...], forward: int
) -> None:
    inputs = torch.randn(shape, requires_grad=True)
    with FlopCounter() as counter:
        output = network(inputs).tanh().sum()
    assert counter.flops == forward
    with FlopCounter() as counter:
        output = network(inputs).tanh().sum()
        (gradient,) = torch.autograd.grad(output, inputs, create_graph=True)
        # The penalty's gradient reaches the weights and the logits through the gradient's own
        # product (2), and the inputs and weights through the forward product (2).
        gradient.square().sum().backward()
    assert counter.flops == 6 * forward


def test_element_wise_operations_are_not_counted() -> None:
    with FlopCounter() as counter:
        torch.randn(100).exp().sum()
    assert counter.flops == 0


def test_operations_of_a_step_grow_with_batch_and_penalty(tiny_settings) -> None:
    base = (
        RECIPES["attention-gan"]()
        .evolve(*tiny_settings(), "generator.size=16")
        .evolve("discriminator.size=16")
    )
    # Muon's own products do not grow with the batch; Adam has none.
    muon = base
    base = base.evolve("generator_optimizer.kind=adam", "discriminator_optimizer.kind=adam")
    assert GanTask().costs(muon).flops_per_step > GanTask().costs(base).flops_per_step
    plain = GanTask().costs(base.evolve("penalty.kind=none"))
    doubled = GanTask().costs(base.evolve("penalty.kind=none", "batch_size=32"))
    assert (plain.batch_size, doubled.batch_size) == (16, 32)
    assert doubled.flops_per_step == 2 * plain.flops_per_step > 0
    whole = GanTask().costs(base.evolve("penalty.share=1"))
    assert whole.flops_per_step > 1.3 * plain.flops_per_step
    of_half = GanTask().costs(base).flops_per_step - plain.flops_per_step
    assert 2 * of_half == whole.flops_per_step - plain.flops_per_step
    assert GanTask().costs(base) == GanTask().costs(base)


def test_keys_and_values_of_the_default() -> None:
    config = RECIPES["attention-gan"]().evolve("precision=float32")
    found = GanTask().costs(config)
    # One block each: 49 tokens of width 64, 16 patches of width 96; keys and values, 4 bytes.
    assert found.generator_key_value_bytes == 49 * (64 + 64) * 4
    assert found.discriminator_key_value_bytes == 16 * (96 + 96) * 4
    half = GanTask().costs(config.evolve("precision=bfloat16"))
    assert half.generator_key_value_bytes == 49 * (64 + 64) * 2
    deeper = GanTask().costs(config.evolve("generator.blocks=3"))
    assert deeper.generator_key_value_bytes == 3 * found.generator_key_value_bytes
    assert found.generator_parameters == num_parameters(config.generator.build())
    assert found.discriminator_parameters == num_parameters(config.discriminator.build())


@pytest.mark.parametrize(
    ("settings", "key_width"),
    [
        (("keys=values",), 0),  # the key is the value
        (("keys=identity",), 0),  # the key is the token
        (("keys=queries",), 8),
        (("keys=dual", "score=softmax"), 8),
        (("keys=whitened",), 8),
        (("key_size=4",), 4),
        (("keys=dual", "key_size=4", "score=softmax"), 4),
        (("keys=values", "positions=sinusoidal", "position_mode=rotate"), 8),  # the value, turned
        (("keys=identity", "positions=sinusoidal", "position_mode=untied"), 0),
    ],
)
def test_keys_are_kept_where_they_are_not_there_already(
    tiny_settings, settings: tuple[str, ...], key_width: int
) -> None:
    config = RECIPES["attention-gan"]().evolve(
        *tiny_settings(),
        *("generator.size=16", "discriminator.size=16", "precision=float32"),
        *(f"generator.{setting}" for setting in settings),
    )
    assert GanTask().costs(config).generator_key_value_bytes == 16 * (key_width + 8) * 4


@pytest.mark.parametrize("num_tokens", [6, 70])
@pytest.mark.parametrize(
    ("options", "num_projected"),
    [
        ({}, 12),
        ({"key_size": 4}, 4),
        ({"keys": "values"}, 0),
        ({"keys": "queries"}, 0),
        ({"keys": "identity"}, 0),
    ],
)
def test_operations_of_a_layer(
    num_tokens: int, options: dict[str, object], num_projected: int
) -> None:
    width, batch = 12, 3
    layer = Attention(width, 2, **options)  # type: ignore[arg-type]
    with FlopCounter() as counter:
        layer(torch.zeros(batch, num_tokens, width))
    projections = layer.key_size + num_projected + width + width  # queries, keys, values, output
    products = num_tokens * (layer.key_size + width)
    assert counter.flops == 2 * batch * num_tokens * (width * projections + products)


def test_operations_of_a_fused_backward_pass() -> None:
    query = torch.randn(1, 1, 70, 4, requires_grad=True)
    output = nn.functional.scaled_dot_product_attention(query, query, query)
    with FlopCounter() as counter:
        torch.autograd.grad(output.sum(), query)
    assert counter.flops == 5 * 2 * 70 * 70 * 4  # weights again, and four gradients of products


def test_operations_of_dual_keys() -> None:
    layer, plain = (Attention(12, 2, keys=keys) for keys in ("dual", "learned"))
    flops = []
    for each in (layer, plain):
        with FlopCounter() as counter:
            each(torch.zeros(1, 5, 12))
        flops.append(counter.flops)
    size, heads = 6, 2
    gram, factors, solves = 2 * 5 * size**2, 2 * size**3 // 3, 2 * size**2 * 5
    assert flops[0] - flops[1] == heads * (gram + factors + solves)
    right = torch.ones(1, size, 5, requires_grad=True)
    solved = torch.linalg.solve(torch.eye(size)[None], right)
    with FlopCounter() as counter:
        torch.autograd.grad(solved.sum(), right)
    assert counter.flops == solves


def test_what_a_layer_keeps_of_a_token() -> None:
    positions = Rotary(line_coordinates(3), 4)
    assert Attention(8, 2, keys="values", value_size=6).num_kept == 6
    assert Attention(8, 2, keys="values", positions=positions).num_kept == 16


def test_convolutions_keep_no_keys(tiny_settings) -> None:
    config = RECIPES["conv-gan"]().evolve(
        *tiny_settings("conv-gan"), "generator.size=16", "discriminator.size=16"
    )
    found = GanTask().costs(config)
    assert (found.generator_key_value_bytes, found.discriminator_key_value_bytes) == (0, 0)


def test_classes_are_given_to_both_players(tiny_settings) -> None:
    config = RECIPES["attention-gan"]().evolve(
        *tiny_settings(),
        *("generator.size=16", "discriminator.size=16", "condition=classes"),
        *("generator.classes=4", "discriminator.classes=4"),
    )
    assert GanTask().costs(config).generator_key_value_bytes > 0


def test_the_time_of_a_step_leaves_out_scoring() -> None:
    times = [0.0, 1.0, 2.0, 9.0, 10.0]  # a score was taken between the third and the fourth
    records = [
        {"event": "step", "elapsed_s": time, "images_seen": 100 * index}
        for index, time in enumerate(times)
    ]
    records.insert(2, {"event": "score", "elapsed_s": 1.5, "images_seen": 150})
    assert step_seconds(records, step_size=10) == pytest.approx(0.1)
    assert step_seconds(records[:1], step_size=10) is None
    assert step_seconds([], step_size=10) is None


# ---- single networks


def test_the_costs_of_a_classifier(tiny_classifier: tuple[str, ...]) -> None:
    config = ClassificationConfig().evolve(
        *tiny_classifier, "network.size=16", "network.classes=4", "precision=float32"
    )
    found = ClassifyTask().costs(config)
    assert found.parameters == num_parameters(config.network.build())
    assert found.key_value_bytes == (16 + 1) * (8 + 8) * 4  # patches of 4 x 4, and a class token
    identity = ClassifyTask().costs(config.evolve("network.keys=identity", "precision=bfloat16"))
    assert identity.key_value_bytes == (16 + 1) * 8 * 2
    doubled = ClassifyTask().costs(config.evolve("batch_size=32"))
    assert (found.batch_size, doubled.batch_size) == (16, 32)
    assert doubled.flops_per_step == 2 * found.flops_per_step > 0


def test_the_costs_of_a_language_model() -> None:
    config = LanguageConfig().evolve(
        *("network.width=12", "network.heads=2", "network.blocks=1", "network.context=10"),
        *("network.vocabulary=7", "network.positions=learned", "optimizer.kind=adamw"),
        *("batch_size=3", "precision=float32"),
    )
    found = LanguageTask().costs(config)
    assert found.parameters == num_parameters(config.network.build())
    assert found.key_value_bytes == 10 * (12 + 12) * 4
    two = LanguageTask().costs(config.evolve("network.blocks=2", "network.keys=values"))
    assert two.key_value_bytes == 2 * 10 * 12 * 4
    tokens, width, hidden = 3 * 10, 12, 4 * 12
    weights = 4 * width**2 + 2 * width * hidden + 7 * width  # projections, dense, tied output
    products = 2 * 10 * width  # queries with keys, weights with values
    assert found.flops_per_step == 3 * 2 * tokens * (weights + products)
    muon = LanguageTask().costs(config.evolve("optimizer.kind=muon"))
    assert muon.flops_per_step > found.flops_per_step

"""The order of the products, and masks: choice, force, refusal."""

from __future__ import annotations

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from orthogan.attention import (
    Attention,
    apply_attention,
    attention_weights,
    causal_mask,
    order_costs,
)
from orthogan.errors import ConfigError, ShapeError, UnknownNameError
from orthogan.rng import stream


def draw(*shape: int, counter: int = 0) -> torch.Tensor:
    return torch.from_numpy(stream(0, "orders", counter).standard_normal(shape))


class ProductLog(TorchDispatchMode):
    """Notes the shapes that matrix products of a head return."""

    def __init__(self) -> None:
        super().__init__()
        self.shapes: list[tuple[int, ...]] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        result = func(*args, **(kwargs or {}))
        if func is torch.ops.aten.bmm.default:
            self.shapes.append(tuple(result.shape[1:]))
        return result


def products(order: str, tokens: int) -> list[tuple[int, ...]]:
    part = draw(1, 2, tokens, 4)
    with ProductLog() as log:
        apply_attention(part, part, part, "none", order=order)
    return log.shapes


def test_the_order_is_the_one_asked_for_and_auto_is_the_cheaper() -> None:
    assert products("linear", 3) == [(4, 4), (3, 4)]
    assert products("quadratic", 3) == [(3, 3), (3, 4)] == products("auto", 3)
    assert products("auto", 5) == [(4, 4), (5, 4)]
    assert products("quadratic", 5) == [(5, 5), (5, 4)]


def test_costs_count_multiplications_and_additions() -> None:
    for sizes in ((5, 7, 4, 6), (49, 49, 16, 16)):
        queries, keys, key_size, value_size = sizes
        query, key = draw(1, 1, queries, key_size), draw(1, 1, keys, key_size)
        value = draw(1, 1, keys, value_size)
        for order in ("quadratic", "linear"):
            with FlopCounterMode(display=False) as counter:
                apply_attention(query, key, value, "none", order=order)
            assert counter.get_total_flops() == getattr(order_costs(*sizes), order)


def test_the_layer_passes_the_order_on() -> None:
    layers = [Attention(8, 2, "none", order=order) for order in ("linear", "quadratic", "auto")]
    for layer in layers[1:]:
        layer.load_state_dict(layers[0].state_dict())
    tokens = draw(2, 9, 8).float()
    outputs = [layer(tokens) for layer in layers]
    assert torch.equal(outputs[0], outputs[2])
    torch.testing.assert_close(outputs[0], outputs[1])
    assert layers[0].weights(tokens).shape == (2, 2, 9, 9)
    with pytest.raises(ConfigError, match="never makes the weights that a mask removes"):
        layers[0](tokens, mask=causal_mask(9))
    torch.testing.assert_close(
        layers[1](tokens, mask=causal_mask(9)), layers[2](tokens, mask=causal_mask(9))
    )


def test_an_empty_context_reads_as_nothing() -> None:
    for order in ("linear", "quadratic"):
        found = apply_attention(
            draw(1, 1, 3, 4), draw(1, 1, 0, 4), draw(1, 1, 0, 4), "none", order=order
        )
        assert bool((found == 0).all())


def test_a_score_with_one_order_refuses_another() -> None:
    for order in ("linear", "quadratic"):
        with pytest.raises(ConfigError, match="score 'softmax' is not linear"):
            Attention(8, order=order)
    with pytest.raises(ConfigError, match="one of auto, quadratic, linear, got 'fast'"):
        Attention(8, score="none", order="fast")
    with pytest.raises(UnknownNameError, match="Did you mean 'none'"):
        Attention(8, score="non", order="linear")


@pytest.mark.usefixtures("as_in_use")
def test_masks_of_both_shapes_and_no_other() -> None:
    query, key = draw(2, 3, 4, 5), draw(2, 3, 6, 5, counter=1)
    mask = torch.ones(4, 6, dtype=torch.bool)
    mask[1, 2] = False
    shared = attention_weights(query, key, mask=mask)
    torch.testing.assert_close(shared, attention_weights(query, key, mask=mask.expand(2, 4, 6)))
    assert bool((shared[:, :, 1, 2] == 0).all())
    assert int((shared == 0).sum()) == 6
    for shape in ((6, 4), (3, 4, 6), (2, 9, 4, 6), (3, 1, 4, 6), (6,)):
        with pytest.raises(ShapeError, match=r"4 queries and 6 keys has the shape \(4, 6\)"):
            attention_weights(query, key, mask=torch.ones(shape, dtype=torch.bool))
    with pytest.raises(ShapeError, match=r"boolean.*got torch.int32"):
        attention_weights(query, key, mask=torch.zeros(4, 6, dtype=torch.int32))
    layer = Attention(8, 2)
    with pytest.raises(ShapeError, match="5 queries and 5 keys"):
        layer(draw(2, 5, 8).float(), mask=mask)


def test_a_row_that_may_read_nothing_has_a_gradient() -> None:
    query, key = draw(1, 1, 2, 3).requires_grad_(), draw(1, 1, 4, 3, counter=1).requires_grad_()
    mask = torch.tensor([[False] * 4, [True, False, True, True]])
    weights = attention_weights(query, key, mask=mask)
    weights.square().sum().backward()
    assert query.grad is not None
    assert bool((query.grad[:, :, 0] == 0).all() & query.grad.isfinite().all())
    assert bool((query.grad[:, :, 1] != 0).any())

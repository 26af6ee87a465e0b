"""Captured attention is what the model library itself reports."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from orthogan.analysis.look import look
from orthogan.rng import initialization, normal, stream

transformers = pytest.importorskip("transformers")

SMALL = {
    "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 16,
    "initializer_range": 0.5, "attn_implementation": "eager",
}  # fmt: skip


def built(model: Any, config: Any, **settings: Any) -> nn.Module:
    with initialization(0, "oracle"):
        network: nn.Module = model(config(**SMALL, **settings)).eval()
    return network


def test_the_maps_of_a_vision_transformer() -> None:
    model = built(transformers.ViTModel, transformers.ViTConfig, image_size=32, patch_size=8)
    images = normal((3, 3, 32, 32), stream(0, "images"))
    (network,) = look(model, inputs={"pixel_values": images}, query="class").networks
    with torch.no_grad():
        reported = model(images, output_attentions=True).attentions
    assert len(network.layers) == len(reported) == 2
    for layer, weights in zip(network.layers, reported, strict=True):
        assert (layer.patches.grid, layer.patches.num_class) == ((4, 4), 1)
        assert float(weights.std()) > 0.01
        torch.testing.assert_close(layer.shown, weights, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(layer.mean.float(), weights.mean(0), rtol=1e-4, atol=1e-6)


def test_the_maps_of_a_text_model() -> None:
    model = built(transformers.BertModel, transformers.BertConfig, vocab_size=30)
    tokens = torch.arange(18).reshape(2, 9)
    (network,) = look(model, inputs=tokens).networks
    with torch.no_grad():
        reported = model(tokens, output_attentions=True).attentions
    for layer, weights in zip(network.layers, reported, strict=True):
        assert layer.patches.grid == (1, 9)
        torch.testing.assert_close(layer.shown, weights, rtol=1e-4, atol=1e-6)

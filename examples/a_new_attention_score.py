"""Add an attention score, and look at what the layer weighs.

python examples/a_new_attention_score.py
"""

import torch
from torch.nn.functional import softplus

import orthogan as og
from orthogan.attention import SCORES
from orthogan.attention.masks import num_readable
from orthogan.attention.scores import scaled_products


@SCORES.register("softplus")
def softplus_score(query, key, mask=None):
    """softplus(q k / sqrt K) / S: ReLU attention without its corner."""
    return softplus(scaled_products(query, key)) / num_readable(query, key, mask)


def main() -> None:
    torch.manual_seed(0)
    tokens = torch.randn(1, 5, 16)
    for score in ("softmax", "none", "softplus"):
        layer = og.Attention(16, heads=2, score=score)
        weights = layer.weights(tokens)  # batch, head, query, key
        print(f"{score}: output {tuple(layer(tokens).shape)}, the first head's first query weighs")
        print("   " + "  ".join(f"{weight:+.3f}" for weight in weights[0, 0, 0].tolist()))


if __name__ == "__main__":
    main()

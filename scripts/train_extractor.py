"""Train the digits extractor that orthogan's metrics are measured with, and write its asset.

    python scripts/train_extractor.py --out src/orthogan/assets/digits-extractor

Takes about six minutes on two cores. The recipe: 22 epochs of batch 128, AdamW with a one-cycle
learning rate, label smoothing, affine and elastic distortion, an exponential moving average of
the weights; at the end batch normalisation is folded into the convolutions. The thread count,
the processor and the torch version decide the last bits, so the result has the same accuracy
but not necessarily the same hash elsewhere.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import shlex
import sys
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor, nn

from orthogan import data
from orthogan.evaluation.extractors.digits import DigitsNet

SEED = 0
EPOCHS = 22
BATCH_SIZE = 128
PEAK_RATE = 4e-3
WEIGHT_DECAY = 2e-2
WARM_UP = 0.15  # share of the steps
LABEL_SMOOTHING = 0.05
AVERAGE_STEP = 0.002  # the average remembers about 500 steps
MAX_TURN_RAD = math.radians(12)
MAX_SCALE = 0.12
MAX_SHEAR = 0.15
MAX_SHIFT = 0.14  # of half the picture's side
ELASTIC = 0.035  # standard deviation of the 5 x 5 displacement grid, in half sides


class TrainingNet(nn.Module):
    """DigitsNet with the batch normalisation that training needs."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *normalised(1, 32, 5, 2),
            *normalised(32, 48, 3, 1),
            nn.MaxPool2d(2),
            *normalised(48, 64, 3, 1),
            *normalised(64, 96, 3, 2),
            nn.Flatten(),
            nn.Linear(96 * 16, 64),
            nn.BatchNorm1d(64),
            nn.ReLU(),
        )
        self.classify = nn.Linear(64, 10)

    def forward(self, grey: Tensor) -> Tensor:
        """Class logits of grey images in [0, 1]."""
        return self.classify(self.features(grey))


def normalised(num_in: int, num_out: int, kernel: int, stride: int) -> list[nn.Module]:
    convolution = nn.Conv2d(num_in, num_out, kernel, stride, kernel // 2, bias=False)
    return [convolution, nn.BatchNorm2d(num_out), nn.ReLU()]


def fold(net: TrainingNet) -> DigitsNet:
    """The same function without batch normalisation (exact up to float32 rounding)."""
    folded = DigitsNet().eval()
    sources = [part for part in net.features if isinstance(part, nn.Conv2d | nn.Linear)]
    norms = [part for part in net.features if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d)]
    targets = [part for part in folded.convolutions if isinstance(part, nn.Conv2d)]
    for source, norm, target in zip(sources, norms, [*targets, folded.embed], strict=True):
        fold_into(source, norm, target)
    folded.classify.load_state_dict(net.classify.state_dict())
    return folded


@torch.no_grad()
def fold_into(source: nn.Module, norm: nn.Module, target: nn.Module) -> None:
    gain = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
    bias = 0.0 if source.bias is None else source.bias.double()
    shape = (-1, *[1] * (source.weight.dim() - 1))
    target.weight.copy_(source.weight.double() * gain.view(shape))
    target.bias.copy_((bias - norm.running_mean.double()) * gain + norm.bias.double())


def distort(images: Tensor) -> Tensor:
    """Each picture turned, scaled, sheared, shifted and bent by its own random amounts."""
    n, side = len(images), images.shape[-1]
    angle = (torch.rand(n) * 2 - 1) * MAX_TURN_RAD
    scale = 1 + (torch.rand(n, 2) * 2 - 1) * MAX_SCALE
    shear = (torch.rand(n) * 2 - 1) * MAX_SHEAR
    shift = (torch.rand(n, 2) * 2 - 1) * MAX_SHIFT
    cosine, sine = angle.cos(), angle.sin()
    turn = torch.stack([torch.stack([cosine, -sine], 1), torch.stack([sine, cosine], 1)], 1)
    stretch = torch.diag_embed(scale)
    stretch[:, 0, 1] = shear
    grid = nn.functional.affine_grid(
        torch.cat([turn @ stretch, shift[:, :, None]], 2), images.shape, False
    )
    bend = torch.randn(n, 2, 5, 5) * ELASTIC
    bend = nn.functional.interpolate(bend, size=side, mode="bicubic", align_corners=True)
    return nn.functional.grid_sample(images, grid + bend.permute(0, 2, 3, 1), align_corners=False)


def train(images: Tensor, labels: Tensor, epochs: int) -> TrainingNet:
    """The moving average of a net trained on grey images in [0, 1]."""
    torch.manual_seed(SEED)
    net = TrainingNet()
    average = TrainingNet()
    average.load_state_dict(net.state_dict())
    num_steps = len(images) // BATCH_SIZE
    optimizer = torch.optim.AdamW(net.parameters(), lr=PEAK_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, PEAK_RATE, total_steps=epochs * num_steps, pct_start=WARM_UP
    )
    net = net.to(memory_format=torch.channels_last).train()
    for epoch in range(epochs):
        order = torch.randperm(len(images))
        for chosen in order[: num_steps * BATCH_SIZE].split(BATCH_SIZE):
            batch = distort(images[chosen]).contiguous(memory_format=torch.channels_last)
            with torch.autocast("cpu", torch.bfloat16):
                logits = net(batch).float()
                loss = nn.functional.cross_entropy(
                    logits, labels[chosen], label_smoothing=LABEL_SMOOTHING
                )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            follow(average, net)
        print(f"epoch {epoch + 1}/{epochs}: loss {loss.item():.4f}", file=sys.stderr, flush=True)
    return average.eval()


@torch.no_grad()
def follow(average: nn.Module, net: nn.Module) -> None:
    for mean, new in zip(average.state_dict().values(), net.state_dict().values(), strict=True):
        if mean.is_floating_point():
            mean.lerp_(new, AVERAGE_STEP)
        else:
            mean.copy_(new)


@torch.no_grad()
def accuracy(net: DigitsNet, images: Tensor, labels: Tensor) -> float:
    guesses = torch.cat([net(part)[1].argmax(1) for part in images.split(512)])
    return (guesses == labels).double().mean().item()


def write_asset(net: DigitsNet, folder: Path, card: dict[str, object]) -> None:
    """Weights, `card.json` and a README in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: value.contiguous() for name, value in net.state_dict().items()}
    stored = safetensors.torch.save(weights)
    digest = hashlib.sha256(stored).hexdigest()
    card = {
        "name": f"digits-cls@{digest[:6]}",
        "sha256": digest,
        "num_parameters": sum(value.numel() for value in weights.values()),
        **card,
    }
    (folder / "weights.safetensors").write_bytes(stored)
    (folder / "card.json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    (folder / "README.md").write_text(readme(card), encoding="utf-8")


def readme(card: dict[str, object]) -> str:
    note = f"\n{card['note']}\n" if "note" in card else ""
    return (
        f"# {card['name']}\n\n"
        "A small convolutional classifier of MNIST digits (grey 28 x 28 in [0, 1]). Its 64 "
        "features after the last ReLU carry the distances, its 10 probabilities the class "
        "histograms. Batch normalisation is folded into the weights.\n\n"
        f"- parameters: {card['num_parameters']} (float32)\n"
        f"- accuracy on the MNIST test set: {card['test_accuracy']:.4f}\n"
        f"- made by: `{card['command']}` (torch {card['torch']}, {card['threads']} threads)\n"
        f"- sha256 of `weights.safetensors`: `{card['sha256']}`\n{note}\n"
        "Trained on MNIST (Yann LeCun, Corinna Cortes, Christopher J.C. Burges; CC BY-SA 3.0).\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder of the asset")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--limit", type=int, help="first images of the training set only")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    known, unseen = data.load("mnist", split="train"), data.load("mnist", split="test")
    images, labels = known.images[: options.limit].float() / 255, known.labels[: options.limit]
    net = fold(train(images, labels.long(), options.epochs))
    card = {
        "test_accuracy": accuracy(net, unseen.images.float() / 255, unseen.labels.long()),
        "command": shlex.join(["python", *sys.argv]),
        "torch": torch.__version__,
        "threads": options.threads,
        "epochs": options.epochs,
        "num_training_images": len(images),
        "data": known.fingerprint(),
    }
    write_asset(net, options.out, card)
    print(json.dumps(card, indent=2))


if __name__ == "__main__":
    main()

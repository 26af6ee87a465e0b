"""Sample a trained generator class by class, and walk from one image to another.

python examples/sample_and_interpolate.py                # the generator that ships
python examples/sample_and_interpolate.py runs/mnist-attention-gan-0
"""

import argparse

import torch

import orthogan as og
from orthogan.data import to_pixels
from orthogan.images.grid import grid
from orthogan.rng import latents

STEPS = 10


def walk(model, first_seed: int, last_seed: int, label: int | None):
    """Images along the arc between the latents of two seeds.

    The length of a normal latent hardly varies, so the way between two leads around the origin,
    not past it (White 2016, "Sampling generative networks", section 2).
    """
    ends = latents([first_seed, last_seed], model.generator.config.latent_size)
    cosine = torch.nn.functional.cosine_similarity(ends[:1], ends[1:])
    angle, share = cosine.acos(), torch.linspace(0, 1, STEPS)[:, None]
    points = (
        ((1 - share) * angle).sin() * ends[:1] + (share * angle).sin() * ends[1:]
    ) / angle.sin()
    labels = None if label is None else torch.full((STEPS,), label)
    with torch.no_grad():
        return to_pixels(model.generator(points, labels))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", default="mnist-demo")
    parser.add_argument("--out", default="walks.png")
    asked = parser.parse_args()
    model = og.load(asked.model)
    num_classes = model.generator.config.classes
    rows = [
        walk(model, 2 * row, 2 * row + 1, row if num_classes else None)
        for row in range(num_classes or 10)
    ]
    grid(torch.cat(rows), columns=STEPS).save(asked.out)
    print(f"{asked.out}: one walk per row, from the image of one seed to that of the next")


if __name__ == "__main__":
    main()

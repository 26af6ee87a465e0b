"""Add a loss of your own and train with it.

    python examples/a_new_loss.py --images 100000

One decorator files it; the command, the help and the contract tests know it from then on.
"""

import argparse

from torch.nn import functional

import orthogan as og
from orthogan.gan.losses import LOSSES


def smoothed_generator(real, fake):
    """-log D(G(z))."""
    return functional.softplus(-fake).mean()


@LOSSES.register("smoothed", generator=smoothed_generator)
def smoothed_discriminator(real, fake):
    """Binary cross-entropy with real labels of 0.9 (Salimans et al. 2016, section 3.4)."""
    smooth = 0.9 * functional.softplus(-real) + 0.1 * functional.softplus(real)
    return smooth.mean() + functional.softplus(fake).mean()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=50_000, help="images shown")
    parser.add_argument("--run", default="runs/example-smoothed")
    asked = parser.parse_args()
    run = og.train("mnist", images=asked.images, run=asked.run, settings=["loss=smoothed"])
    print(run.reason)


if __name__ == "__main__":
    main()

"""Remake the trained generator that ships in the wheel, with its measured scores on its card.

python scripts/make_demo.py --minutes 30

Trains the default recipe on MNIST, evaluates 10,000 images, and replaces
`src/orthogan/assets/mnist-demo`. The run goes to `runs/mnist-demo` and can be resumed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

import orthogan
from orthogan.models.bundle import load_bundle, save_bundle

ASSETS = Path(orthogan.__file__).parent / "assets"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    run = orthogan.train(minutes=asked.minutes, seed=asked.seed, run="runs/mnist-demo")
    evaluation = orthogan.evaluate(run).to_dict()
    trained = load_bundle(run.path / "bundle")
    save_bundle(
        ASSETS / "mnist-demo",
        network_config=trained.network_config,
        tensors=trained.tensors,
        data=trained.data,
        card={
            "title": "mnist-demo",
            "summary": "Handwritten digits from an attention GAN trained on MNIST.",
            "command": f"python scripts/make_demo.py --minutes {asked.minutes:g}",
            "licence": "The weights are Apache-2.0; MNIST is CC BY-SA 3.0.",
            "seed": asked.seed,
            "seconds": round(run.seconds, 1),
            "images seen": run.images_seen,
            "threads": torch.get_num_threads(),
            "torch": str(torch.__version__),
            "verdict": evaluation["verdict"],
            "scores": evaluation["scores"],
        },
    )
    print(evaluation["verdict"])


if __name__ == "__main__":
    main()

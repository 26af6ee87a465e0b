"""How far one gets without any training: a mixture of Gaussians per class in PCA space.

    python benchmarks/mixture.py

Digits are projected onto their principal components; k-means cuts each class into groups, and each
group becomes a Gaussian whose covariance is shrunk towards the one all groups of the class share.
Images are drawn in the proportions of classes and groups. That takes seconds; whatever a GAN claims
has to stand beside it. The scores are those of `orthogan evaluate` for 10,000 images; the first
hundred of seed 0 go into a picture, none picked.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from provenance import provenance
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA

from orthogan.data import ImageSet, load
from orthogan.evaluation import evaluate_images
from orthogan.images.grid import grid

RESULTS = Path(__file__).parent / "results"
NUM_IMAGES = 10_000
ITERATIONS = 10  # of k-means; more change little
PRIOR = 3.0  # images that the shared covariance counts for beside those of a group
FLOOR = 1e-3  # added variance, grey levels squared, so that every covariance has a root

Rows = NDArray[np.float64]


def mixture_images(images: ImageSet, components: int, dimensions: int, seed: int) -> torch.Tensor:
    """`NUM_IMAGES` images from a mixture of `components` Gaussians fitted to each class."""
    rows = images.images.flatten(1).numpy().astype(np.float32)
    labels = images.labels.numpy()
    projection = PCA(dimensions, svd_solver="covariance_eigh").fit(rows)
    points = projection.transform(rows).astype(np.float64)
    source = np.random.default_rng(seed)
    counts = source.multinomial(NUM_IMAGES, np.bincount(labels) / len(labels))
    drawn = [
        drawn_from_class(points[labels == label], components, count, source)
        for label, count in enumerate(counts)
    ]
    pixels = projection.inverse_transform(np.concatenate(drawn)).round().clip(0, 255)
    shuffled = source.permutation(NUM_IMAGES)
    return torch.from_numpy(pixels.astype(np.uint8)[shuffled]).unflatten(1, images.images.shape[1:])


def drawn_from_class(
    points: Rows, components: int, count: int, source: np.random.Generator
) -> Rows:
    """`count` points from a mixture fitted to the points of one class."""
    state = int(source.integers(2**31))
    found = KMeans(components, n_init=1, max_iter=ITERATIONS, random_state=state).fit(points)
    residuals = points - found.cluster_centers_[found.labels_]
    shared = residuals.T @ residuals / (len(points) - components)
    sizes = np.bincount(found.labels_, minlength=components)
    floor = FLOOR * np.eye(points.shape[1])
    drawn = []
    for group, num_drawn in enumerate(source.multinomial(count, sizes / sizes.sum())):
        own = residuals[found.labels_ == group]
        covariance = (own.T @ own + PRIOR * shared) / (sizes[group] + PRIOR) + floor
        noise = source.standard_normal((num_drawn, points.shape[1]))
        drawn.append(found.cluster_centers_[group] + noise @ np.linalg.cholesky(covariance).T)
    return np.concatenate(drawn)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--components", type=int, default=300, help="per class")
    parser.add_argument("--dimensions", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=RESULTS / "mixture.json")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    train, test, runs = load("mnist"), load("mnist", split="test"), []
    for seed in range(asked.seeds):
        start = time.perf_counter()
        fakes = mixture_images(train, asked.components, asked.dimensions, seed)
        seconds = time.perf_counter() - start
        evaluation = evaluate_images(fakes, train, held_out=test).to_dict()
        runs.append({"seed": seed, "seconds": seconds} | evaluation)
        values = {name: round(score["value"], 3) for name, score in evaluation["scores"].items()}
        print(f"seed {seed}: {seconds:.1f} s, {values}")
        if seed == 0:
            grid(fakes[:100]).save(asked.out.with_suffix(".png"))
    record = {
        "provenance": provenance(),
        "components per class": asked.components,
        "dimensions": asked.dimensions,
        "runs": runs,
    }
    asked.out.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()

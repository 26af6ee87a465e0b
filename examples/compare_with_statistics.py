"""Does a setting matter? Several seeds of each variant, and an answer with its uncertainty.

python examples/compare_with_statistics.py --seeds 5 --images 50000
"""

import argparse

import orthogan as og


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--images", type=int, default=20_000, help="images shown in each run")
    parser.add_argument("--out", default="comparisons/example-scores")
    parser.add_argument("--num-images", type=int, default=2000, help="samples each is judged by")
    asked = parser.parse_args()
    found = og.compare(
        vary={"generator.score": ["cosine", "softmax"]},
        seeds=asked.seeds,
        images=asked.images,
        num_images=asked.num_images,
        out=asked.out,
    )
    for variant in found.variants:
        for name, mean in variant.scores.items():
            print(f"{variant.label}: {name} {mean.value:.3g} ({mean.low:.3g} to {mean.high:.3g})")
        print(f"  {variant.verdict}")


if __name__ == "__main__":
    main()

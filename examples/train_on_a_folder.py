"""Train on a folder of pictures and see what came out.

    python examples/train_on_a_folder.py my-icons --minutes 5

Sub-folders are classes. What was resized or left out, and why, is said while it loads. Without a
folder, 600 small glyphs are drawn to train on.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

import orthogan as og

LETTERS = "AEHKNX"


def draw_glyphs(folder: Path) -> Path:
    """A folder of six letters, a hundred of each, moved and turned a little."""
    source = np.random.default_rng(0)
    for letter in LETTERS:
        (folder / letter).mkdir()
        for number in range(100):
            picture = Image.new("L", (28, 28))
            place = tuple(source.uniform(6, 10, 2))
            ImageDraw.Draw(picture).text(place, letter, fill=255, font_size=16)
            turned = picture.rotate(source.uniform(-12, 12), Image.Resampling.BICUBIC)
            turned.save(folder / letter / f"{number}.png")
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?")
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--run", default="runs/example-folder")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = asked.folder or draw_glyphs(Path(place))
        run = og.train(folder, minutes=asked.minutes, run=asked.run)
        print(run.reason)
        pixels = run.sample(seeds=range(36))  # uint8, 36 x channels x height x width
        print(
            f"{len(pixels)} samples of {tuple(pixels.shape[1:])}; grids lie in {run.path}/samples"
        )


if __name__ == "__main__":
    main()

"""Image sets that nobody prepared, from packages that Debian and its fonts hold.

    python benchmarks/any_sets.py UNPACKED OUT

`UNPACKED` holds the content of the packages `fonts-noto-color-emoji`, `faenza-icon-theme`,
`oxygen-icon-theme`, `gnome-icon-theme` and `mate-backgrounds` (`dpkg -x`), a folder each, under any
names. Each set becomes one `.npz` with `images`, uint8; the letters come from the fonts of the
system. Needs `fonttools`.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import string
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, UnidentifiedImageError

PHOTOGRAPHS = "mate-backgrounds"
ICON_THEMES = ("faenza-icon-theme", "oxygen-icon-theme", "gnome-icon-theme")
PATCHES_A_PHOTOGRAPH = 400
Pixels = NDArray[np.uint8]


def emoji(unpacked: Path, size: int = 32) -> Pixels:
    """The glyphs of the colour font, on white."""
    from fontTools.ttLib import TTFont

    font = TTFont(next(unpacked.rglob("NotoColorEmoji.ttf")))
    glyphs = font["CBDT"].strikeData[0]
    return _stacked(_on_white(Image.open(io.BytesIO(g.imageData)), size) for g in glyphs.values())


def icons(unpacked: Path, size: int = 32) -> Pixels:
    """The icons of three themes that were drawn at this size, on white."""
    files = sorted(
        file
        for file in unpacked.rglob("*.png")
        if any(theme in str(file) for theme in ICON_THEMES)
        and {str(size), f"{size}x{size}"} & set(file.parts)
    )
    return _stacked(_on_white(picture, size) for picture in _opened(files))


def letters(_unpacked: Path, size: int = 32) -> Pixels:
    """Letters and digits in every font of the system, black on white."""
    files = [f for f in sorted(Path("/usr/share/fonts").rglob("*.ttf")) if "Emoji" not in f.name]
    fonts = [ImageFont.truetype(str(file), round(0.75 * size)) for file in files]

    def drawn(font: ImageFont.FreeTypeFont, letter: str) -> Image.Image:
        picture = Image.new("L", (size, size), 255)
        place = (size // 2, size // 2)
        ImageDraw.Draw(picture).text(place, letter, fill=0, font=font, anchor="mm")
        return picture

    signs = string.ascii_letters + string.digits
    return _stacked(drawn(font, letter) for font in fonts for letter in signs)


def patches(unpacked: Path, size: int = 64) -> Pixels:
    """Patches of photographs, each shrunk by a factor from 2 to 8."""
    files = (file for file in sorted(unpacked.rglob("*.jpg")) if PHOTOGRAPHS in str(file))
    draw = np.random.default_rng(0)

    def cut() -> Iterator[Image.Image]:
        for picture in _opened(files):
            for _ in range(PATCHES_A_PHOTOGRAPH):
                side = min(int(size * draw.uniform(2, 8)), *picture.size)
                left = int(draw.integers(0, picture.width - side + 1))
                upper = int(draw.integers(0, picture.height - side + 1))
                box = (left, upper, left + side, upper + side)
                yield picture.convert("RGB").resize((size, size), Image.Resampling.BOX, box)

    return _stacked(cut())


SETS: dict[str, Callable[[Path], Pixels]] = {
    "emoji": emoji,
    "icons": icons,
    "letters": letters,
    "patches": patches,
    "patches-32": lambda unpacked: patches(unpacked, 32),
}


def _opened(files: Iterable[Path]) -> Iterator[Image.Image]:
    for file in files:
        try:
            with Image.open(file) as picture:
                picture.load()
                yield picture
        except (UnidentifiedImageError, OSError):
            continue  # a broken link, or a vector drawing under that name


def _on_white(picture: Image.Image, size: int) -> Image.Image:
    """The whole picture in a square of this size."""
    picture = picture.convert("RGBA")
    picture.thumbnail((size, size), Image.Resampling.BOX)
    ground = Image.new("RGBA", (size, size), "white")
    corner = ((size - picture.width) // 2, (size - picture.height) // 2)
    ground.alpha_composite(picture, corner)
    return ground.convert("RGB")


def _stacked(pictures: Iterable[Image.Image]) -> Pixels:
    """Each picture once; channels first."""
    seen: dict[bytes, Pixels] = {}
    for picture in pictures:
        pixels = np.asarray(picture, np.uint8)
        seen.setdefault(hashlib.blake2b(pixels.tobytes()).digest(), pixels)
    images = np.stack(list(seen.values()))
    return images[:, None] if images.ndim == 3 else np.moveaxis(images, -1, 1)


def main() -> None:
    """Write every set."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("unpacked", type=Path)
    parser.add_argument("out", type=Path)
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    for name, make in SETS.items():
        images = make(asked.unpacked)
        np.savez(asked.out / f"{name}.npz", images=images)
        print(name, *images.shape)


if __name__ == "__main__":
    main()

"""Folders of pictures that nobody prepared for us, made from packages of Debian.

    python benchmarks/folders.py OUT

Needs `apt-get` and `dpkg`, and a network; what was downloaded stays in OUT/packages and is taken
from there the next time. Each set is a folder such as a person has: PNG files as the package has
them, in folders of classes where there are classes. Patches are cut by a fixed seed, and letters
are drawn in every face of the font packages.
"""

from __future__ import annotations

import argparse
import gzip
import io
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from fontTools.ttLib import TTFont
from PIL import Image, ImageDraw, ImageFont

FONTS = (
    *("fonts-dejavu-core", "fonts-liberation2", "fonts-freefont-ttf", "fonts-urw-base35"),
    *("fonts-lato", "fonts-open-sans", "fonts-cantarell", "fonts-linuxlibertine", "fonts-hack"),
    *("fonts-roboto-unhinted", "fonts-comic-neue", "fonts-junicode", "fonts-inconsolata"),
)
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
FASHION = (
    *("t-shirt", "trouser", "pullover", "dress", "coat"),
    *("sandal", "shirt", "sneaker", "bag", "boot"),
)
PATCH_SIDE = 64
PATCHES_EACH = 120  # from one photograph
MIN_SPREAD = 6.0  # grey levels: a patch of plain sky teaches nothing
TEXTURE_SIDE = 32
MOST_PIXELS = 256  # a side; the sets are of small images
LARGEST = 4_000_000

Pictures = Iterator[tuple[str, Image.Image]]


def letters(packages: Path) -> Pictures:
    """Capitals, 28 x 28, white on black, in every Latin face."""
    for name in FONTS:
        for path in sorted(unpacked(name, packages).rglob("*.[to]tf")):
            face = ImageFont.truetype(str(path), 24)
            if len({face.getmask(letter).getbbox() for letter in LETTERS}) < 8:
                continue  # a face of symbols, or without capitals: its letters are boxes
            for letter in LETTERS:
                image = Image.new("L", (28, 28))
                ImageDraw.Draw(image).text((14, 14), letter, 255, face, anchor="mm")
                yield f"{letter}/{path.stem}", image


def fashion(packages: Path) -> Pictures:
    """Fashion-MNIST's training images, by class."""
    (folder,) = {
        path.parent for path in unpacked("dataset-fashion-mnist", packages).rglob("train-*.gz")
    }
    pixels = gzip.decompress((folder / "train-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((folder / "train-labels-idx1-ubyte.gz").read_bytes())[8:]
    images = np.frombuffer(pixels, np.uint8, offset=16).reshape(-1, 28, 28)
    for number in range(0, len(images), 5):
        yield f"{FASHION[labels[number]]}/{number:05}", Image.fromarray(images[number])


def emoji(packages: Path) -> Pictures:
    """The bitmaps of a colour font, 136 x 128, transparent."""
    (path,) = unpacked("fonts-noto-color-emoji", packages).rglob("*.ttf")
    for strike in TTFont(path)["CBDT"].strikeData:
        for name, glyph in strike.items():
            yield name, Image.open(io.BytesIO(glyph.imageData))


def icons(packages: Path) -> Pictures:
    """The icons of three themes at 32 x 32, transparent."""
    for name in ("oxygen-icon-theme", "gnome-icon-theme", "faenza-icon-theme"):
        yield from opened(unpacked(name, packages), "**/32*/**/*.png", name.partition("-")[0])
        yield from opened(unpacked(name, packages), "**/*/32/*.png", name.partition("-")[0])


def drawings(packages: Path) -> Pictures:
    """Clip art of all kinds and sizes, transparent."""
    yield from opened(unpacked("openclipart-png", packages), "**/*.png", "clip")


def sprites(packages: Path) -> Pictures:
    """Figures of a game at 72 x 72, transparent."""
    folder = next(unpacked("wesnoth-1.16-data", packages).rglob("core/images/units"))
    for name, image in opened(folder, "**/*.png", "unit"):
        if image.size == (72, 72):
            yield name, image


def textures(packages: Path) -> Pictures:
    """Patches of the surfaces of a racing game at half their size."""
    yield from patches(
        unpacked("supertuxkart-data", packages), "**/textures/*.jpg", TEXTURE_SIDE, 2, 12
    )


def photographs(packages: Path) -> Pictures:
    """Patches of the photographs behind two desktops."""
    for name in ("gnome-backgrounds", "mate-backgrounds"):
        folder = unpacked(name, packages)
        for pattern in ("**/*.jpg", "**/*.webp"):
            yield from patches(folder, pattern, PATCH_SIDE, 4, PATCHES_EACH)


SETS: dict[str, Callable[[Path], Pictures]] = {
    each.__name__: each
    for each in (letters, fashion, emoji, icons, drawings, sprites, textures, photographs)
}


def patches(folder: Path, pattern: str, side: int, shrink: int, count: int) -> Pictures:
    """Squares from the pictures below a folder, shrunk; those without any contrast are left out."""
    source = np.random.default_rng(0)
    for path in sorted(folder.glob(pattern)):
        with Image.open(path) as opened_:
            image = opened_.convert("RGB")
        image = image.reduce(shrink) if min(image.size) >= shrink * side else image
        if min(image.size) < side:
            continue
        for number in range(count):
            left = int(source.integers(image.width - side + 1))
            top = int(source.integers(image.height - side + 1))
            patch = image.crop((left, top, left + side, top + side))
            if np.asarray(patch.convert("L")).std() >= MIN_SPREAD:
                yield f"{path.stem}-{number:03}", patch


def opened(folder: Path, pattern: str, prefix: str) -> Pictures:
    """The pictures below a folder, each of its files once; large ones shrunk, posters left out."""
    for number, path in enumerate(sorted(folder.glob(pattern))):
        if path.is_file() and not path.is_symlink():
            try:
                image = Image.open(path)
            except Image.DecompressionBombError:
                continue
            if image.width * image.height <= LARGEST:
                image.thumbnail((MOST_PIXELS, MOST_PIXELS))
                yield f"{prefix}-{number:05}-{path.stem[:60]}", image


def unpacked(package: str, packages: Path) -> Path:
    """The folder of a package's files, downloaded if it is not there."""
    folder = packages / package
    if not folder.exists():
        packages.mkdir(parents=True, exist_ok=True)
        subprocess.run(["apt-get", "download", "-q", package], cwd=packages, check=True)
        (archive,) = packages.glob(f"{package}_*.deb")
        subprocess.run(["dpkg", "-x", archive, folder], check=True)
    return folder


def main() -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    asked = parser.parse_args()
    for name in asked.sets:
        count = 0
        for file, image in SETS[name](asked.out / "packages"):
            path = asked.out / name / f"{file}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            image.save(path)
            count += 1
        print(f"{name}: {count:,} pictures")


if __name__ == "__main__":
    main()

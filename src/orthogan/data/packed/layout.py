"""What lies in a packed set, and how its parts are named.

A packed set is a folder `NAME.orthogan`:

- `images-00000.bin`, ...: shards of bytes, image after image, each channel by channel, row by row;
- `checks.bin`: the CRC-32 of each image, as little-endian 32-bit numbers;
- `labels.bin`: the class of each image, likewise, where there are classes;
- `index.json`: the form, the counts, the class names, and a BLAKE2b checksum of each file.

Everything has a fixed place, so that image i is read without reading others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orthogan.data.catalogue import LARGEST_SIZE, SIZE_STEP, SMALLEST_SIZE
from orthogan.data.facts import Facts, Note
from orthogan.errors import DataError
from orthogan.files import read_json

SUFFIX = ".orthogan"
INDEX, CHECKS, LABELS = "index.json", "checks.bin", "labels.bin"
FORMAT, VERSION = "orthogan-images", 1
WORD = "<u4"  # of a check and of a label
WORD_BYTES = 4
SHARD_BYTES = 64 * 2**20  # at most: a shard is one object of a store, and one checksum
MOST_IMAGES = 2**31  # whose labels and checks still fit into the memory of a large machine
MOST_SHARDS = 100_000
AGAIN = "pack the set again."


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The index of a packed set.

    Attributes:
        size: Side of the images, px.
        colours: 1, 3 or 4 channels.
        num_images: Over all shards.
        per_shard: Images of each shard but the last.
        class_names: One name per class; empty without labels.
        digests: The checksum of each file but the index.
        notes: What was done to the images when they were packed.
        facts: What the source held.
    """

    size: int
    colours: int
    num_images: int
    per_shard: int
    class_names: tuple[str, ...]
    digests: Mapping[str, str]
    notes: tuple[str, ...] = ()
    facts: Facts

    @property
    def image_bytes(self) -> int:
        """Bytes of an image."""
        return self.colours * self.size * self.size

    @property
    def num_bytes(self) -> int:
        """Bytes of all images."""
        return self.num_images * self.image_bytes

    @property
    def num_shards(self) -> int:
        """How many files hold the images."""
        return -(-self.num_images // self.per_shard)

    def files(self) -> dict[str, int]:
        """Every file but the index, with its bytes."""
        held = {
            shard_name(number): self.image_bytes
            * min(self.per_shard, self.num_images - number * self.per_shard)
            for number in range(self.num_shards)
        }
        held[CHECKS] = WORD_BYTES * self.num_images
        if self.class_names:
            held[LABELS] = WORD_BYTES * self.num_images
        return held

    def fingerprint(self) -> str:
        """16 hexadecimal digits that change with any file or with the form."""
        form = (self.num_images, self.colours, self.size)
        digest = hashlib.blake2b(repr(form).encode(), digest_size=8)
        for name in sorted(self.files()):
            digest.update(self.digests[name].encode())
        return digest.hexdigest()

    def tree(self) -> dict[str, Any]:
        """What `index.json` holds."""
        return {
            "format": FORMAT,
            "version": VERSION,
            "size": self.size,
            "colours": self.colours,
            "images": self.num_images,
            "images_per_shard": self.per_shard,
            "class_names": list(self.class_names),
            "notes": [
                [note.topic if isinstance(note, Note) else "", str(note)] for note in self.notes
            ],
            "sizes": [[*size, count] for size, count in self.facts.sizes.items()],
            "kinds": dict(self.facts.kinds),
            "skipped": dict(self.facts.skipped),
            "blake2b": dict(self.digests),
        }


def shard_name(number: int) -> str:
    """The file of a shard.

    >>> shard_name(3)
    'images-00003.bin'
    """
    return f"images-{number:05d}.bin"


def images_per_shard(image_bytes: int) -> int:
    """How many images a shard takes.

    >>> images_per_shard(3072)
    21845
    """
    return max(1, SHARD_BYTES // image_bytes)


def read_layout(path: Path) -> Layout:
    """The index of a packed set, and a look at the size of each of its files.

    Raises:
        DataError: it is no packed set, is newer than this version, or a file is missing or of
            another size than the index says.
    """
    tree = read_json(path / INDEX, error=DataError, advice=f"; {AGAIN}")
    if not isinstance(tree, dict) or tree.get("format") != FORMAT:
        raise DataError(f"{path}: is no packed set of images; make one with orthogan pack.")
    if tree.get("version") != VERSION:
        raise DataError(
            f"{path}: is packed in version {tree.get('version')!r} of the format, and this "
            f"orthogan reads version {VERSION}; {AGAIN}"
        )
    try:
        found = _layout(tree)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise DataError(f"{path / INDEX}: is damaged ({error}); {AGAIN}") from None
    for name, num_bytes in found.files().items():
        try:
            held = (path / name).stat().st_size
        except OSError:
            raise DataError(f"{path}: its file {name} is missing; {AGAIN}") from None
        if held != num_bytes:
            raise DataError(
                f"{path}: its file {name} has {held:,} bytes and not {num_bytes:,}; {AGAIN}"
            )
    return found


def _layout(tree: Mapping[str, Any]) -> Layout:
    size = _number(tree, "size", SMALLEST_SIZE, LARGEST_SIZE)
    colours = _number(tree, "colours", 1, 4)
    if size % SIZE_STEP or colours == 2:
        raise ValueError(f"{size} px and {colours} channels")
    class_names = tuple(map(str, tree["class_names"]))
    if len(set(class_names)) != len(class_names):
        raise ValueError("two classes have the same name")
    found = Layout(
        size=size,
        colours=colours,
        num_images=_number(tree, "images", 1, MOST_IMAGES),
        per_shard=_number(tree, "images_per_shard", 1, MOST_IMAGES),
        class_names=class_names,
        digests={str(name): str(digest) for name, digest in tree["blake2b"].items()},
        notes=tuple(Note(text, topic) if topic else text for topic, text in _pairs(tree["notes"])),
        facts=Facts(
            {(int(high), int(wide)): int(count) for high, wide, count in tree["sizes"]},
            _counts(tree["kinds"]),
            _counts(tree["skipped"]),
        ),
    )
    if found.num_shards > MOST_SHARDS:
        raise ValueError(f"more than {MOST_SHARDS:,} shards")
    if missing := found.files().keys() - found.digests.keys():
        raise ValueError(f"no checksum of {min(missing)}")
    return found


def _number(tree: Mapping[str, Any], name: str, low: int, high: int) -> int:
    value = tree[name]
    if type(value) is not int or not low <= value <= high:
        raise ValueError(f"{name} is not a whole number from {low} to {high}")
    return value


def _pairs(values: Any) -> list[tuple[str, str]]:
    return [(str(topic), str(text)) for topic, text in values]


def _counts(values: Mapping[str, Any]) -> dict[str, int]:
    return {str(name): int(count) for name, count in values.items()}

"""Writes the shipped corpus: the six novels of Jane Austen, from Debian's r-cran-janeaustenr.

    apt-get download r-cran-janeaustenr && dpkg-deb -x r-cran-janeaustenr_*.deb unpacked
    python scripts/make_corpus.py unpacked/usr/lib/R/site-library/janeaustenr/data/Rdata.rdb

The file is R's: one compressed vector of lines a novel, each behind its length. No R is needed.
"""

from __future__ import annotations

import argparse
import hashlib
import lzma
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

OUT = Path(__file__).parents[1] / "src/orthogan/assets/austen/novels.txt.xz"
STRINGS = 16  # R's type of a vector of strings
# Order of publication; the file has them by the alphabet of R's names.
FIRST_LINES = (
    "SENSE AND SENSIBILITY",
    "PRIDE AND PREJUDICE",
    "MANSFIELD PARK",
    "EMMA",
    "NORTHANGER ABBEY",
    "Persuasion",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rdb", type=Path, help="Rdata.rdb of the unpacked package")
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    novels = {lines[0]: "\n".join(lines).strip() for lines in vectors(asked.rdb.read_bytes())}
    text = "\n\n\n".join(novels[first] for first in FIRST_LINES) + "\n"
    content = text.encode()
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_bytes(lzma.compress(content, preset=9 | lzma.PRESET_EXTREME))
    print(f"{len(content):,} bytes, sha256 {hashlib.sha256(content).hexdigest()}")
    print(f"wrote {asked.out}: {asked.out.stat().st_size:,} bytes")


def vectors(data: bytes) -> Iterator[list[str]]:
    """The vectors of strings in a database of R, in order."""
    start = 0
    while start < len(data):
        stream = zlib.decompressobj()
        content = stream.decompress(data[start + 4 :])  # behind the uncompressed length
        start = len(data) - len(stream.unused_data)
        yield lines_of(content)


def lines_of(content: bytes) -> list[str]:
    """The strings of one serialised vector (R's XDR format, version 2 or 3)."""
    if not content.startswith(b"X\n"):
        raise ValueError("not a serialised object of R")
    (version,) = struct.unpack_from(">i", content, 2)
    place = 14
    if version == 3:  # the name of the native encoding stands before the object
        place += 4 + struct.unpack_from(">i", content, place)[0]
    flags, count = struct.unpack_from(">ii", content, place)
    if flags & 255 != STRINGS:
        raise ValueError(f"not a vector of strings but an object of type {flags & 255}")
    place += 8
    lines = []
    for _ in range(count):
        _, length = struct.unpack_from(">ii", content, place)
        lines.append(content[place + 8 : place + 8 + length].decode())
        place += 8 + length
    return lines


if __name__ == "__main__":
    main()

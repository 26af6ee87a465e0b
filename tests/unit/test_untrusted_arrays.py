"""NumPy files that lie: one sentence each, nothing allocated on their word."""

from __future__ import annotations

import contextlib
import io
import random
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orthogan.data import load
from orthogan.embeddings import read_tables
from orthogan.errors import DataError, OrthoganError

IMAGES = np.random.default_rng(0).integers(0, 256, (20, 16, 16), dtype=np.uint8)
VECTORS = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)


def npy(header: str, body: bytes = b"", version: tuple[int, int] = (1, 0)) -> bytes:
    """A file with that header, padded as NumPy pads it."""
    size = 2 if version == (1, 0) else 4
    text = header + " " * (-(len(header) + 9 + size) % 64) + "\n"
    length = struct.pack("<H" if size == 2 else "<I", len(text))
    return b"\x93NUMPY" + bytes(version) + length + text.encode("latin-1") + body


def of(descr: str, shape: str) -> str:
    return f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}"


LYING = {
    "unclosed bracket": npy("{'descr': '|u1', 'fortran_order': False, 'shape': (3, 4"),
    "unclosed quote": npy("{'descr': '|u1"),
    "brackets": npy("(" * 9000),
    "no dictionary": npy("7"),
    "no text size": npy(of("'|S0'", "(20,)")),
    "no void size": npy(of("'|V0'", "(20, 16, 16)")),
    "unknown type": npy(of("'|q9'", "(20,)")),
    "type of a list": npy(of("[[['a']]]", "(20,)")),
    "empty but endless": npy(of("'|u1'", f"(0, {2**63})")),
    "endless": npy(of("'|u1'", f"({2**63}, {2**63})")),
    "truths": npy(of("'|u1'", "(True, True)"), b"x"),
    "fractions": npy(of("'|u1'", "(2.0, 8)"), b"x" * 16),
    "negative": npy(of("'|u1'", "(-2, -8)"), b"x" * 16),
    "too many axes": npy(of("'|u1'", f"({'1, ' * 70})"), b"x"),
    "a long header": b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**32 - 1) + b"{",
    "an empty header": b"\x93NUMPY\x01\x00\x00\x00",
    "a cut length": b"\x93NUMPY\x01\x00\x01",
    "objects": npy(of("'|O'", "(20, 16, 16)"), bytes(20 * 256 * 8)),
    "hidden objects": npy(of("[('a', '|O')]", "(20,)"), bytes(160)),
    "Python 2 and no end": npy("{'shape': (3L, 4L, 'descr': '<f4', 'fortran_order': False"),
}


@pytest.mark.parametrize("content", LYING.values(), ids=LYING)
@pytest.mark.parametrize(("read", "key"), [(load, "images"), (read_tables, "tokens")])
def test_a_lying_header_is_one_sentence(
    tmp_path: Path, read: Callable[[Path], Any], key: str, content: bytes
) -> None:
    (tmp_path / "a.npy").write_bytes(content)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr(f"{key}.npy", content)
    for name in ("a.npy", "a.npz"):
        with pytest.raises(DataError, match=rf"{name}\S*: ") as caught:
            read(tmp_path / name)
        assert "\n" not in str(caught.value)
        assert caught.value.exit_code == 3


@pytest.mark.parametrize(("read", "key"), [(load, "images"), (read_tables, "tokens")])
def test_a_single_number_is_no_array_of_rows(
    tmp_path: Path, read: Callable[[Path], Any], key: str
) -> None:
    np.save(tmp_path / "a.npy", np.float32(3))
    np.savez(tmp_path / "a.npz", **{key: np.float32(3)})
    for name in ("a.npy", "a.npz"):
        with pytest.raises(OrthoganError, match=r"a single number|shape \(\)"):
            read(tmp_path / name)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
def test_sound_arrays_come_back(tmp_path: Path, order: Any, version: tuple[int, int]) -> None:
    with (tmp_path / "a.npy").open("wb") as stream:
        np.lib.format.write_array(stream, np.asarray(IMAGES, order=order), version=version)
    assert load(tmp_path / "a.npy").images[:, 0].numpy().tolist() == IMAGES.tolist()


@pytest.mark.parametrize(
    "method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
@pytest.mark.parametrize(("read", "key"), [(load, "images"), (read_tables, "tokens")])
def test_a_damaged_member_is_one_sentence(
    tmp_path: Path, read: Callable[[Path], Any], key: str, method: int
) -> None:
    stream = io.BytesIO()
    np.save(stream, IMAGES if key == "images" else VECTORS)
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr(f"{key}.npy", stream.getvalue())
    read(path)
    content = path.read_bytes()
    directory = content.index(b"PK\x01\x02")
    for start in (50, 60, directory // 2, directory - 60):
        damaged = bytearray(content)
        damaged[start : start + 40] = b"\xff" * 40
        path.write_bytes(damaged)
        with pytest.raises(DataError, match="damaged") as caught:
            read(path)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("code", [0x110000, 0xFFFFFFFF])
@pytest.mark.parametrize("order", ["<", ">"])
def test_labels_that_are_no_text(tmp_path: Path, code: int, order: str) -> None:
    words = np.array(["ab"] * 20, f"{order}U2")
    words.view(f"{order}u4")[7] = code
    np.savez(tmp_path / "a.npz", images=IMAGES, labels=words)
    np.savez(tmp_path / "b.npz", tokens=VECTORS, labels=words)
    for name, read in (("a.npz", load), ("b.npz", read_tables)):
        with pytest.raises(DataError, match=rf"{name}\[labels\]: holds the number {code:#x}"):
            read(tmp_path / name)


def test_labels_of_half_a_surrogate_pair_can_be_written(tmp_path: Path) -> None:
    words = np.array(["cat", "\udc80"] * 10)
    np.savez(tmp_path / "a.npz", images=IMAGES, labels=words)
    names = load(tmp_path / "a.npz").class_names
    assert names == (r"\udc80", "cat")
    "".join(names).encode("utf-8")


def test_random_damage_is_one_sentence(tmp_path: Path) -> None:
    chance = random.Random(0)
    stream, archive = io.BytesIO(), io.BytesIO()
    np.save(stream, IMAGES)
    np.savez_compressed(archive, images=IMAGES, labels=np.array(["a", "b"] * 10))
    for name, whole in (("a.npy", stream.getvalue()), ("a.npz", archive.getvalue())):
        for _ in range(200):
            damaged = bytearray(whole)
            for _ in range(chance.randint(1, 4)):
                edge = chance.choice([128, len(damaged)])
                damaged[-chance.randrange(1, edge) if chance.random() < 0.5 else
                        chance.randrange(edge)] = chance.randrange(256)  # fmt: skip
            (tmp_path / name).write_bytes(damaged)
            with contextlib.suppress(OrthoganError):  # nothing else may come out
                load(tmp_path / name)


def test_a_bomb_is_not_expanded_beyond_what_is_asked(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    body = npy(of("'|u1'", "(20, 16, 16)"), IMAGES.tobytes())
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("images.npy", body + bytes(64 * 2**20))
    tracemalloc.start()
    images = load(path).images
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert images[:, 0].numpy().tolist() == IMAGES.tolist()
    assert peak < 16 * 2**20

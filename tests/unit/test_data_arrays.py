from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.lib import format as npy_format

from orthogan.data import load
from orthogan.data.formats import arrays
from orthogan.errors import DataError

RGB = np.random.default_rng(0).integers(0, 256, (20, 32, 32, 3), dtype=np.uint8)
GREY = RGB[..., 0]
LABELS = np.arange(20) % 3


def npz(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize("key", ["images", "x", "X", "data", "x_train", "train_images"])
@pytest.mark.parametrize("label_key", ["labels", "y", "y_train", "train_labels"])
def test_accepted_keys(tmp_path: Path, key: str, label_key: str) -> None:
    images = load(npz(tmp_path / "a.npz", **{key: GREY, label_key: LABELS}))
    assert torch.equal(images.images[:, 0], torch.from_numpy(GREY))
    assert images.labels is not None
    assert images.labels.tolist() == LABELS.tolist()
    assert images.class_names == ("0", "1", "2")
    assert images.notes == ()


def test_arrays_without_names_and_labels(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez_compressed(path, GREY)
    assert load(path).labels is None
    np.save(tmp_path / "a.npy", GREY)
    assert torch.equal(load(tmp_path / "a.npy").images, load(path).images)


def test_splits_of_one_file(tmp_path: Path) -> None:
    path = npz(
        tmp_path / "a.npz",
        x_train=GREY, y_train=LABELS, x_test=GREY[::-1][:17], y_test=LABELS[:17],
    )  # fmt: skip
    assert len(load(path)) == 20
    test = load(path, split="test")
    assert (len(test), test.split) == (17, "test")
    assert torch.equal(test.images[0, 0], torch.from_numpy(GREY[-1].copy()))
    with pytest.raises(DataError, match="single split"):
        load(npz(tmp_path / "b.npz", images=GREY), split="test")


@pytest.mark.parametrize(
    "array",
    [RGB, RGB.transpose(0, 3, 1, 2), np.asfortranarray(RGB), RGB.astype(">i4"), RGB / 255.0],
    ids=["last", "first", "fortran", "big-endian", "float"],
)
def test_layouts_of_colour(tmp_path: Path, array: np.ndarray) -> None:
    images = load(npz(tmp_path / "a.npz", images=array))
    assert torch.equal(images.images, torch.from_numpy(RGB).permute(0, 3, 1, 2))


@pytest.mark.parametrize(
    "layout", [GREY, GREY[..., None], GREY[:, None], RGB[..., :1].repeat(3, 3)]
)
def test_layouts_of_grey(tmp_path: Path, layout: np.ndarray) -> None:
    images = load(npz(tmp_path / "a.npz", images=layout))
    assert torch.equal(images.images[:, 0], torch.from_numpy(GREY))


def test_colour_can_be_asked_for(tmp_path: Path) -> None:
    path = npz(tmp_path / "a.npz", images=RGB)
    grey = load(path, colour="grey")
    luminance = (RGB @ np.array([0.299, 0.587, 0.114])).astype(np.float32)
    assert (grey.images[:, 0].float() - torch.from_numpy(luminance)).abs().max() <= 1
    assert grey.notes == ("RGB images were turned to grey (Rec. 601 luminance).",)
    wide = load(npz(tmp_path / "b.npz", images=GREY), colour="rgb").images
    assert wide.shape == (20, 3, 32, 32)
    assert torch.equal(wide[:, 2], torch.from_numpy(GREY))


@pytest.mark.parametrize(
    ("array", "note"),
    [
        (GREY / np.float32(255), "[0, 1]"),
        ((GREY / 127.5 - 1).astype(np.float64), "[-1, 1]"),
        (GREY.astype(np.float16), "0 to 255 as float16"),
        (GREY.astype(np.int64), "0 to 255 as int64"),
    ],
)
def test_number_ranges_are_detected_and_noted(tmp_path: Path, array: np.ndarray, note: str) -> None:
    images = load(npz(tmp_path / "a.npz", images=array))
    assert torch.equal(images.images[:, 0], torch.from_numpy(GREY))
    assert images.notes == (f"Values {note} were mapped to bytes 0 to 255.",)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int32])
def test_black_and_white(tmp_path: Path, dtype: type) -> None:
    images = load(npz(tmp_path / "a.npz", images=(GREY > 127).astype(dtype)))
    assert images.images.unique().tolist() == [0, 255]
    assert images.notes == ("Values 0 and 1 were mapped to bytes 0 to 255.",)


def test_many_images_are_converted_in_chunks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrays, "CHUNK", 7)
    array = np.linspace(0, 1, 40)[:, None, None].repeat(16, 1).repeat(16, 2)
    images = load(npz(tmp_path / "a.npz", images=array)).images
    expected = np.round(np.linspace(0, 1, 40) * 255)
    assert images[:, 0, 5, 5].tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.where(GREY == 0, np.nan, GREY / 255), "NaN or infinite"),
        (np.where(GREY == 0, np.inf, GREY / 255), "NaN or infinite"),
        (GREY.astype(float) - 300, "pixel values lie in"),
        (GREY.astype(int) * 2, "got 0 to 510"),
        (-GREY.astype(int), "got -255 to 0"),
        (GREY.astype(complex), "values of type complex128"),
        (GREY.astype(str), "values of type <U"),
        (GREY[0], "got 32 x 32"),
        (np.array(3), "got a single number"),
        (RGB[..., :2], "got 20 x 32 x 32 x 2"),
        (np.zeros((20, 32, 32, 5), np.uint8), "got 20 x 32 x 32 x 5"),
        (np.zeros((20, 0, 32), np.uint8), "got 20 x 0 x 32"),
        (np.zeros((0, 32, 32), np.uint8), "at least 16 usable images, got 0"),
        (GREY[:15], "at least 16 usable images, got 15"),
    ],
)  # fmt: skip
def test_unusable_arrays(tmp_path: Path, array: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        load(npz(tmp_path / "a.npz", images=array))
    assert "\n" not in str(caught.value)
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(DataError, match=message):
        load(tmp_path / "a.npy")


class Bomb:
    """Unpickling this would end the test run."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (SystemExit, ("unpickled",))


def test_objects_are_never_unpickled(tmp_path: Path) -> None:
    array = np.array([Bomb()] * 20, dtype=object)
    with pytest.raises(DataError, match="never unpickled"):
        load(npz(tmp_path / "a.npz", images=array))
    np.save(tmp_path / "a.npy", array, allow_pickle=True)
    with pytest.raises(DataError, match="never unpickled"):
        load(tmp_path / "a.npy")
    with pytest.raises(DataError, match="never unpickled"):
        load(npz(tmp_path / "b.npz", images=GREY, labels=np.array(["a", 1] * 10, dtype=object)))


def test_no_array_is_named_like_images(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"\(x_train, .*arr_0\); it holds: faces, other\."):
        load(npz(tmp_path / "a.npz", other=GREY, faces=GREY))
    np.savez(tmp_path / "b.npz")
    with pytest.raises(DataError, match="it holds: nothing"):
        load(tmp_path / "b.npz")


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (LABELS[:-1], "got 19 labels for 20 images"),
        (LABELS.astype(float), "one whole number or text per image, got float64"),
        (np.eye(20, dtype=int), r"shape \(20, 20\)"),
    ],
)
def test_unusable_labels(tmp_path: Path, labels: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load(npz(tmp_path / "a.npz", images=GREY, labels=labels))


def test_labels_of_text_and_columns(tmp_path: Path) -> None:
    named = load(npz(tmp_path / "a.npz", images=GREY, labels=np.array(["cat", "ant"] * 10)))
    assert named.class_names == ("ant", "cat")
    assert named.labels is not None
    assert named.labels[:2].tolist() == [1, 0]
    column = load(npz(tmp_path / "b.npz", images=GREY, labels=5 + LABELS[:, None]))
    assert column.class_names == ("5", "6", "7")
    assert column.labels is not None
    assert column.labels.tolist() == LABELS.tolist()


def npy_bytes(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def header(shape: tuple[int, ...]) -> bytes:
    stream = io.BytesIO()
    fields = {"descr": "|u1", "fortran_order": False, "shape": shape}
    npy_format.write_array_header_1_0(stream, fields)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (npy_bytes(GREY)[:-1], "promises 20,480 bytes, the body has 20,479"),
        (npy_bytes(GREY)[:40], "not a NumPy array"),
        (b"", "not a NumPy array"),
        (b"P5 28 28 255 ", "not a NumPy array"),
        (b"\x93NUMPY\x09\x00" + npy_bytes(GREY)[8:], "not a NumPy array"),
        (header((10**6, 10**6, 10**6)), "the limit is"),
        (header((-1, 32, 32)), "negative axis"),
    ],
)
def test_damaged_arrays(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        load(tmp_path / "a.npy")
    assert "\n" not in str(caught.value)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("images.npy", content)
    with pytest.raises(DataError, match=message):
        load(tmp_path / "a.npz")


def test_structured_and_second_version_headers(tmp_path: Path) -> None:
    structured = np.zeros(20, dtype=[("a", "u1"), ("b", "f4")])
    with pytest.raises(DataError, match="got 20"):
        load(npz(tmp_path / "a.npz", images=structured))
    with (tmp_path / "a.npy").open("wb") as stream:
        npy_format.write_array(stream, GREY, version=(2, 0))
    assert len(load(tmp_path / "a.npy")) == 20


@pytest.mark.parametrize("damage", ["truncated", "flipped", "text", "encrypted"])
def test_damaged_npz(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "a.npz"
    np.savez_compressed(path, images=GREY)
    content = bytearray(path.read_bytes())
    if damage == "truncated":
        del content[-100:]
    elif damage == "flipped":
        content[len(content) // 2] ^= 0xFF
    elif damage == "encrypted":
        content[content.index(b"PK\x01\x02") + 8] |= 1
        content[6] |= 1
    else:
        content = bytearray(b"hello")
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"not an \.npz file, or a damaged one"):
        load(path)


@pytest.mark.parametrize("held", ["val", "valid", "validation"])
@pytest.mark.parametrize("form", ["x_{}", "{}_images"])
def test_a_validation_part_is_held_out(tmp_path: Path, held: str, form: str) -> None:
    label = {"x_{}": "y_{}", "{}_images": "{}_labels"}[form]
    stored = {form.format("train"): GREY, label.format("train"): LABELS}
    stored |= {form.format(held): GREY[:17], label.format(held): LABELS[:17] + 1}
    path = npz(tmp_path / "a.npz", **stored)
    images = load(path, split="test")
    assert (len(images), images.class_names) == (17, ("1", "2", "3"))
    assert load(path).class_names == ("0", "1", "2")

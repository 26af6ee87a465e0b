"""What folders mean: parts of a split, classes, shards; the same in a folder and in a zip."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from orthogan.classification.config import LabelledDataConfig
from orthogan.classification.examples import load_split
from orthogan.data import ImageSet, load
from orthogan.data.catalogue import SingleSplitError
from orthogan.data.labels import in_order
from orthogan.errors import DataError

SHADES = {"a": 60, "b": 190, "2": 40, "10": 210}
Write = Callable[[Path, Mapping[str, bytes]], Path]


def png(shade: int, seed: int) -> bytes:
    noise = np.random.default_rng(seed).integers(shade - 30, shade + 30, (16, 16))
    stream = BytesIO()
    Image.fromarray(noise.astype(np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def pictures(*folders: str, each: int = 10) -> dict[str, bytes]:
    """`each` pictures in every folder, as bright as the last part of its name says."""
    return {
        f"{folder}/{n}.png": png(SHADES.get(folder.rpartition("/")[2], 128), 100 * place + n)
        for place, folder in enumerate(folders)
        for n in range(each)
    }


def as_folder(path: Path, files: Mapping[str, bytes]) -> Path:
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


def as_zip(path: Path, files: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(path.with_suffix(".zip"), "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path.with_suffix(".zip")


def brightness(images: ImageSet) -> dict[str, float]:
    assert images.labels is not None
    return {
        name: images.images[images.labels == number].float().mean().item()
        for number, name in enumerate(images.class_names)
    }


@pytest.fixture(params=[as_folder, as_zip], ids=["folder", "zip"])
def write(request: pytest.FixtureRequest) -> Write:
    return request.param


@pytest.mark.parametrize(
    ("train", "held"),
    [
        ("train", "val"), ("train", "valid"), ("train", "validation"), ("Train", "Test"),
        ("TRAIN", "testing"), ("training", "testing"), ("training_set", "test_set"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("above", ["", "data/", "data/v1/"])
def test_folders_of_a_split(
    tmp_path: Path, write: Write, train: str, held: str, above: str
) -> None:
    folders = [f"{above}{part}/{name}" for part in (train, held) for name in "ab"]
    files = pictures(*folders) | {"__MACOSX/._0.png": b"", f"{above}{held}/.DS_Store": b""}
    source = write(tmp_path / "set", files)
    for split in ("train", "test"):
        images = load(source, split=split)
        assert (len(images), images.class_names, images.split) == (20, ("a", "b"), split)
        levels = brightness(images)
        assert levels["a"] < 80
        assert levels["b"] > 170
        expected = f"Split by its folders: {train} (20 files) to train on, {held} (20 files) held"
        assert images.notes[0].startswith(expected)
    assert load(source).fingerprint() != load(source, split="test").fingerprint()


def test_the_test_part_goes_before_the_validation_part(tmp_path: Path, write: Write) -> None:
    files = pictures("train/a", "train/b") | pictures("val/a", "val/b", each=4)
    source = write(tmp_path / "set", files | pictures("test/a", "test/b", "raw", each=3))
    assert len(load(source)) == 20
    held = load(source, split="test")
    assert len(held) == 6
    assert held.notes[0].endswith("test (6 files) held out; not used: raw, val.")


@pytest.mark.parametrize("parts", [("train", "bus"), ("test", "val"), ("trained", "tested")])
def test_other_pairs_of_folders_are_classes(
    tmp_path: Path, write: Write, parts: tuple[str, str]
) -> None:
    source = write(tmp_path / "set", pictures(*parts))
    assert set(load(source).class_names) == set(parts)
    with pytest.raises(SingleSplitError):
        load(source, split="test")


def test_a_part_of_one_class_keeps_it(tmp_path: Path, write: Write) -> None:
    files = pictures("train/a", "train/b") | pictures("val/b")
    held = load(write(tmp_path / "set", files), split="test")
    assert held.class_names == ("b",)
    flat = pictures("train/a", "train/b") | pictures("test")
    source = write(tmp_path / "flat", flat)
    assert load(source).class_names == ("a", "b")
    assert load(source, split="test").labels is None


def test_a_classifier_is_scored_on_the_held_out_part(tmp_path: Path, write: Write) -> None:
    folders = [f"{part}/{name}" for part in ("train", "val") for name in "ab"]
    source = write(tmp_path / "set", pictures(*folders[:2]) | pictures(*folders[2:], each=3))
    split = load_split(LabelledDataConfig(source=str(source)), seed=0)
    assert (len(split.train), len(split.test)) == (20, 6)
    assert split.scheme.names == ("a", "b")
    assert split.notes[-1] == "Scored on the 6 images of the test set."


def test_numbers_are_sorted_as_numbers_wherever_they_come_from(
    tmp_path: Path, write: Write
) -> None:
    names = [str(number) for number in range(12)]
    images = load(write(tmp_path / "set", pictures(*names, each=2)))
    assert images.class_names == tuple(names)
    assert brightness(images)["2"] < 50
    assert brightness(images)["10"] > 200
    labels = [[f"{name}/{n}.png", int(name)] for name in names for n in range(2)]
    files = pictures(*names, each=2) | {"dataset.json": json.dumps({"labels": labels}).encode()}
    assert load(write(tmp_path / "listed", files)).class_names == tuple(names)
    pixels = np.random.default_rng(0).integers(0, 256, (24, 16, 16)).astype(np.uint8)
    np.savez(tmp_path / "text.npz", images=pixels, labels=np.array(names * 2))
    np.savez(tmp_path / "whole.npz", images=pixels, labels=np.arange(24) % 12)
    for array in ("text.npz", "whole.npz"):
        stored = load(tmp_path / array)
        assert stored.class_names == tuple(names)
        assert stored.labels is not None
        assert stored.labels.tolist() == list(range(12)) * 2


@pytest.mark.parametrize(
    "ordered",
    [
        ("-10", "-2", "0", "3", "10"), ("0.5", "1", "1.5", "10"), ("1", "01", "2")[1::-1],
        ("1", "2", "10", "none"), ("class2", "class10"), ("B", "a", "b"), ("a", "a1", "a1b", "a2"),
        ("9" * 5000, "1" + "0" * 5000),
    ],
)  # fmt: skip
def test_order_of_names(ordered: tuple[str, ...]) -> None:
    assert in_order(set(ordered)) == ordered


def style(labels: object, above: str = "", place: str = "") -> dict[str, bytes]:
    shards = pictures(*(f"{above}{shard:05d}" for shard in range(3)))
    return shards | {f"{above}{place}dataset.json": json.dumps({"labels": labels}).encode()}


LISTED = [[f"{shard:05d}/{n}.png", n % 2] for shard in range(3) for n in range(10)]


@pytest.mark.parametrize("above", ["", "data/", "data/v1/"])
@pytest.mark.parametrize("form", ["pairs", "text", "mapping", "floats", "windows"])
def test_listed_classes(tmp_path: Path, write: Write, above: str, form: str) -> None:
    labels: object = {
        "pairs": LISTED,
        "text": [[name, str(label)] for name, label in LISTED],
        "mapping": {str(name): label for name, label in LISTED},
        "floats": [[name, float(label)] for name, label in LISTED],
        "windows": [[str(name).replace("/", "\\"), label] for name, label in LISTED],
    }[form]
    images = load(write(tmp_path / "set", style(labels, above)))
    assert images.class_names == ("0", "1")
    assert images.labels is not None
    assert images.labels.tolist() == [n % 2 for _ in range(3) for n in range(10)]
    assert images.notes == (f"Classes are read from {above}dataset.json.",)


def test_shards_are_no_classes(tmp_path: Path, write: Write) -> None:
    for name, labels in (("null", None), ("empty", [])):
        images = load(write(tmp_path / name, style(labels)))
        assert (images.labels, images.class_names) == (None, ())
        assert images.notes == ("dataset.json lists no classes, so the images have none.",)


def test_a_list_that_leaves_pictures_out(tmp_path: Path, write: Write) -> None:
    images = load(write(tmp_path / "set", style(LISTED[:-2])))
    assert images.labels is None
    assert "names no class for 2 of 30 images (00002/8.png, 00002/9.png)" in images.notes[0]


def test_each_part_may_have_its_list(tmp_path: Path, write: Write) -> None:
    files = pictures("train/00000", each=20) | pictures("val/00000")
    for part, num in (("train", 20), ("val", 10)):
        labels = [[f"00000/{n}.png", n % 2] for n in range(num)]
        files[f"{part}/dataset.json"] = json.dumps({"labels": labels}).encode()
    source = write(tmp_path / "set", files)
    for split, num in (("train", 20), ("test", 10)):
        images = load(source, split=split)
        assert images.labels is not None
        assert images.labels.tolist() == [n % 2 for n in range(num)]


def test_another_file_of_that_name_is_told(tmp_path: Path, write: Write) -> None:
    files = pictures("a", "b") | {"dataset.json": b'{"name": "shapes"}'}
    images = load(write(tmp_path / "set", files))
    assert images.class_names == ("a", "b")
    assert images.notes == ("dataset.json has no 'labels' and is not used.",)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"[" * 100_000, b"\xff", b'{"labels": 3}', b'{"labels": [3]}',
        b'{"labels": [["a.png"]]}', b'{"labels": [["a.png", [1, 0]]]}', b'{"labels": [[1, 1]]}',
        b'{"labels": [["a.png", null]]}', b'{"labels": [["a.png", 0.5]]}',
    ],
)  # fmt: skip
def test_a_damaged_list_is_one_sentence(tmp_path: Path, write: Write, content: bytes) -> None:
    source = write(tmp_path / "set", pictures("00000", "00001") | {"dataset.json": content})
    with pytest.raises(DataError, match=r"dataset\.json.*mend or remove") as caught:
        load(source)
    assert "\n" not in str(caught.value)


def test_a_run_is_no_data(tmp_path: Path) -> None:
    run = as_folder(tmp_path / "runs" / "x", pictures("samples"))
    (run / "run.json").write_text("{}", encoding="ascii")
    for path in (run, run / "samples"):
        with pytest.raises(DataError, match=r"folder of a training run.*orthogan sample RUN --out"):
            load(path)
    as_folder(tmp_path / "runs", pictures("real", each=20))
    images = load(tmp_path / "runs")
    assert len(images) == 20
    assert images.notes == ("Skipped 1 of 21 files: x (folder of a training run).",)


def test_our_own_grids_are_no_images(tmp_path: Path) -> None:
    from orthogan.images.encoding import png as encoded
    from orthogan.images.sheet import sheet

    as_folder(tmp_path, pictures("a", each=20))
    drawn = sheet(np.zeros((9, 16, 16, 3), np.uint8))
    (tmp_path / "a" / "samples-x.png").write_bytes(encoded(drawn))
    (note,) = load(tmp_path).notes
    assert note == ("Skipped 1 of 21 files: a/samples-x.png (a grid of images that orthogan drew).")


def test_copies_of_systems_are_quiet_and_other_pictures_told(tmp_path: Path, write: Write) -> None:
    junk = ("a/._0.png", "__MACOSX/a/._0.png", "a/.DS_Store", "a/Thumbs.db", "__MACOSX/x.tif")
    files = pictures("a", each=20) | dict.fromkeys(junk, b"x")
    assert load(write(tmp_path / "junk", files)).notes == ()
    (note,) = load(write(tmp_path / "more", files | {"a/scan.HEIC": b"x"})).notes
    assert note == "Skipped 1 of 21 files: a/scan.HEIC (.heic is not read; convert it to .png)."
    upper = {name.replace(".png", ".PNG"): content for name, content in files.items()}
    assert len(load(write(tmp_path / "upper", upper))) == 20


def test_names_that_are_no_text_can_be_written(tmp_path: Path) -> None:
    for name, content in pictures("a", "b").items():
        folder = tmp_path / os.fsdecode(name[:1].encode() + b"\xff")
        folder.mkdir(exist_ok=True)
        (folder / name[2:]).write_bytes(content)
    assert load(tmp_path).class_names == (r"a\udcff", r"b\udcff")


def table(rows: list[tuple[str, ...]], end: str = "\n") -> bytes:
    return "".join(",".join(row) + end for row in rows).encode()


NUMBERED = [(f"00000/{n}.png", "odd" if n % 2 else "even") for n in range(20)]


@pytest.mark.parametrize("above", ["", "data/"])
@pytest.mark.parametrize("form", ["plain", "windows", "bom", "quoted", "other columns"])
def test_classes_of_a_table(tmp_path: Path, write: Write, above: str, form: str) -> None:
    rows = [("file_name", "label"), *NUMBERED]
    content = {
        "plain": table(rows),
        "windows": table([(name.replace("/", "\\"), label) for name, label in rows], "\r\n"),
        "bom": b"\xef\xbb\xbf" + table(rows),
        "quoted": table([(f'"{name}"', f'"{label}"') for name, label in rows]),
        "other columns": table([("x", label, "y", name) for name, label in rows]),
    }[form]
    files = pictures(f"{above}00000", each=20) | {f"{above}metadata.csv": content}
    images = load(write(tmp_path / "set", files))
    assert images.class_names == ("even", "odd")
    assert images.labels is not None
    names = sorted(f"{n}.png" for n in range(20))
    assert images.labels.tolist() == [int(name[:-4]) % 2 for name in names]
    assert images.notes == (f"Classes are read from {above}metadata.csv.",)


@pytest.mark.parametrize(
    ("header", "lacks"),
    [(("file_name", "text"), "label, class or category"), (("name", "label"), "file_name")],
)
def test_a_table_without_the_columns_is_not_used(
    tmp_path: Path, write: Write, header: tuple[str, str], lacks: str
) -> None:
    content = table([header, ("a/0.png", "x")])
    images = load(write(tmp_path / "set", pictures("a", "b") | {"metadata.csv": content}))
    assert images.class_names == ("a", "b")
    assert images.notes == (f"metadata.csv has no column {lacks} and is not used.",)


def test_a_table_that_leaves_pictures_out(tmp_path: Path, write: Write) -> None:
    content = table([("file_name", "label"), *NUMBERED[:-1], (NUMBERED[-1][0], "")])
    files = pictures("00000", each=20) | {"metadata.csv": content}
    images = load(write(tmp_path / "set", files))
    assert images.labels is None
    assert "metadata.csv names no class for 1 of 20 images (00000/19.png)" in images.notes[0]


@pytest.mark.parametrize(
    "content",
    [b'file_name,label\n"a/0.png,x', b"file_name,label\na/0.png,x,y", b"file_name,label\na/0.png"],
)
def test_a_damaged_table_is_one_sentence(tmp_path: Path, write: Write, content: bytes) -> None:
    source = write(tmp_path / "set", pictures("a", "b") | {"metadata.csv": content})
    with pytest.raises(DataError, match=r"metadata\.csv.*mend or remove") as caught:
        load(source)
    assert "\n" not in str(caught.value)


def test_of_two_lists_one_is_used(tmp_path: Path, write: Write) -> None:
    labels = json.dumps({"labels": [[name, 3] for name, _ in NUMBERED]}).encode()
    files = pictures("00000", each=20) | {"dataset.json": labels}
    files["metadata.csv"] = table([("file_name", "label"), *NUMBERED])
    images = load(write(tmp_path / "set", files))
    assert images.class_names == ("3",)
    assert images.notes[0] == "metadata.csv is not used: dataset.json has the classes."


def prefixed(*names: str) -> dict[str, bytes]:
    return {name: png(120, place) for place, name in enumerate(names)}


def test_classes_by_the_beginnings_of_names(tmp_path: Path, write: Write) -> None:
    names = [f"{kind}_{n:03d}.png" for kind in ("cat", "great_dane") for n in range(10)]
    source = write(tmp_path / "set", prefixed(*names))
    images = load(source, labels="prefix")
    assert images.class_names == ("cat", "great_dane")
    assert images.labels is not None
    assert images.labels.tolist() == [0] * 10 + [1] * 10
    assert load(source).labels is None


def test_beginnings_go_before_folders_and_hold_in_both_parts(tmp_path: Path, write: Write) -> None:
    names = [f"{part}/x/{kind}{n}.png" for part in ("train", "val") for kind in "pq"
             for n in range(10)]  # fmt: skip
    source = write(tmp_path / "set", prefixed(*names))
    for split in ("train", "test"):
        assert load(source, split=split, labels="prefix").class_names == ("p", "q")
    config = LabelledDataConfig(source=str(source), labels="prefix")
    assert load_split(config, seed=0).scheme.names == ("p", "q")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([f"{n}.png" for n in range(20)], "20 of 20 names have none, such as '0.png'"),
        ([f"cat_{n}.png" for n in range(19)] + ["dog.png"], "1 of 20 names have none, such as 'do"),
        ([f"cat_{n}.png" for n in range(20)], "but the 20 names all begin with 'cat'"),
        ([f"{chr(97 + n)}_1.png" for n in range(20)], "but the 20 names begin in 20 ways"),
    ],
)
def test_beginnings_that_are_no_classes(
    tmp_path: Path, write: Write, names: list[str], message: str
) -> None:
    source = write(tmp_path / "set", prefixed(*names))
    with pytest.raises(DataError, match=message):
        load(source, labels="prefix")


@pytest.mark.parametrize("source", ["mnist", "a.npz", "arrays"])
def test_sources_without_file_names_have_no_beginnings(tmp_path: Path, source: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 16, 16), dtype=np.uint8)
    (tmp_path / "arrays").mkdir()
    for file in ("a.npz", "arrays/a.npz"):
        np.savez(tmp_path / file, images=pixels)
    path = source if source == "mnist" else tmp_path / source
    with pytest.raises(DataError, match="labels=prefix reads classes from the names of pictures"):
        load(path, labels="prefix")

"""What is said of images before training: a line if they are clean, a table if not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from orthogan.cli import main
from orthogan.data import ImageSet, load
from orthogan.data.facts import Facts, Note
from orthogan.data.inspection import inspect, inspections

GREY = np.random.default_rng(0).integers(0, 256, (40, 16, 16), dtype=np.uint8)


def save(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def clean(folder: Path) -> Path:
    for number, array in enumerate(GREY):
        save(folder / ("cat", "dog")[number % 2] / f"{number}.png", array)
    return folder


def test_clean_images_are_one_line(tmp_path: Path) -> None:
    found = inspect(load(clean(tmp_path / "pets")))
    line = "pets: 40 images of 16 x 16, gray, 2 classes of 20 images (cat, dog)."
    assert (found.lines(), found.rows) == ([line], ())
    (digits,) = inspect(load("mnist")).lines()
    assert digits.startswith("mnist: 60,000 images of 28 x 28, gray, 10 classes of 5,421 to 6,742 ")
    assert digits.endswith("images (0, 1, 2, 3, 4, 5, 6, 7, 8, 9).")


def untidy(folder: Path) -> Path:
    """Two sizes, alpha, a copy, a blank, 12 bits, an odd file, uneven classes, a held-out part."""
    for number, array in enumerate(GREY):
        save(folder / "train" / ("cat" if number % 10 else "emu") / f"{number}.png", array)
    save(folder / "train/cat/copy.png", GREY[1])
    save(folder / "train/cat/blank.png", np.full((16, 16), 9, np.uint8))
    save(folder / "train/cat/large.png", np.tile(GREY[2], (2, 3)))
    save(folder / "train/cat/deep.png", GREY[3].astype(np.uint16) * 16)
    layers = np.dstack([GREY[4]] * 3 + [np.full((16, 16), 128, np.uint8)])
    save(folder / "train/cat/clear.png", layers)
    (folder / "train/cat/broken.png").write_bytes(b"no picture")
    save(folder / "val/cat/0.png", GREY[5])
    return folder


def test_a_table_says_what_is_there_and_what_is_done(tmp_path: Path) -> None:
    found = inspect(load(untidy(tmp_path / "zoo")))
    rows = {row.topic: (row.found, row.done) for row in found.rows}
    assert list(rows) == [
        *("sizes", "pixels", "classes", "split", "copies", "blanks", "skipped"),
    ]
    assert rows["sizes"][0] == "16 x 16 (44), 32 x 48 (1)"
    (resized,) = rows["sizes"][1]
    assert resized.startswith("Images were resized from 2 different shapes to 32 x 32 after a cen")
    assert rows["pixels"][0] == "8-bit gray (43), 16-bit gray (1), 8-bit RGB with alpha (1)"
    assert [note.partition(":")[2] for note in rows["pixels"][1]] == [
        " of 16 bits, of which the set uses 12.",
        " transparent, laid over white; --colour rgba keeps transparency.",
    ]
    assert rows["classes"] == ("cat (41), emu (4)", ())
    assert rows["split"][1][0].startswith("Split by its folders: train (46 files) to train on, val")
    assert rows["copies"][1] == (
        "1 of 45 images repeat another one exactly.",
        "They are kept, and seen as often as they are there (or data.copies=drop).",
    )
    assert rows["blanks"][1][0].startswith("1 of 45 images are blank")
    assert rows["skipped"] == (
        "not a readable image (1)",
        ("Skipped 1 of 46 files: train/cat/broken.png (not a readable image).",),
    )
    lines = found.lines()
    assert lines[0] == "zoo: 45 images of 32 x 32, gray, 2 classes of 4 to 41 images (cat, emu)."
    assert lines[1] == "  sizes    16 x 16 (44), 32 x 48 (1)"
    assert lines[2].startswith("           Images were resized")


def test_every_note_is_in_the_table_once(tmp_path: Path) -> None:
    images = load(untidy(tmp_path / "zoo"))
    told = [sentence for row in inspect(images).rows for sentence in row.done]
    assert all(told.count(note) == 1 for note in images.notes)
    bare = ImageSet(images.images, notes=("Something else.", Note("Classes too.", "classes")))
    assert [(row.topic, row.done) for row in inspect(bare).rows] == [
        ("classes", ("Classes too.",)),
        ("also", ("Something else.",)),
    ]


def test_long_lists_are_cut() -> None:
    pixels = torch.zeros(300, 1, 16, 16, dtype=torch.uint8)
    labels = torch.arange(300).clamp(max=29)
    sizes = {(16, side): 300 - side for side in range(20, 40)}
    names = tuple(f"kind {number}" for number in range(30))
    found = inspect(ImageSet(pixels, labels, names, "many", facts=Facts(sizes)))
    rows = {row.topic: row.found for row in found.rows}
    assert rows["sizes"].endswith("16 x 25 (275), 14 more (3,745)")
    assert rows["classes"] == (
        "kind 29 (271), kind 0 (1), kind 1 (1), kind 10 (1), kind 11 (1), 24 more (24), kind 9 (1)"
    )
    assert found.headline.endswith("kind 8, kind 9, 20 more).")


def test_it_holds_plain_values(tmp_path: Path) -> None:
    tree = json.loads(json.dumps(inspect(load(untidy(tmp_path / "zoo"))).to_dict()))
    assert tree["images"] == 45
    assert tree["sizes"] == {"16 x 16": 44, "32 x 48": 1}
    assert tree["classes"] == {"cat": 41, "emu": 4}
    assert tree["skipped"] == {"not a readable image": 1}
    assert tree["rows"][0]["topic"] == "sizes"


def test_whoever_listens_is_told_of_what_is_loaded(tmp_path: Path) -> None:
    folder = untidy(tmp_path / "zoo")
    with inspections() as found:
        load(folder)
        load(folder, split="test")
    load(folder)
    assert [each.counts["split"] for each in found] == ["train", "test"]
    assert found[1].headline.startswith("zoo (held out): 1 images")


@pytest.mark.parametrize("command", ["train", "classify"])
def test_a_dry_run_prints_it(command: str, tmp_path: Path, capsys) -> None:
    folder = str(untidy(tmp_path / "zoo"))
    assert main([command, folder, "--dry-run"]) == 0
    printed = capsys.readouterr()
    assert printed.err.splitlines()[:2] == inspect(load(folder)).lines()[:2]
    assert printed.out.startswith("precision:")
    assert main([command, folder, "--dry-run", "--json"]) == 0
    printed = capsys.readouterr()
    inspected = json.loads(printed.out)["inspection"][0]
    assert inspected["classes"] == {"cat": 41, "emu": 4}
    assert printed.err == ""
    (tmp_path / "again.json").write_text(printed.out)
    words = [command, folder, "--config", str(tmp_path / "again.json"), "--dry-run", "--json"]
    assert main(words) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(printed.out)


def test_folders_of_sizes_are_no_classes(tmp_path: Path) -> None:
    for number, array in enumerate(GREY):
        size = ("16x16", "32x32@2x")[number % 2]
        save(tmp_path / size / ("apps", "places")[number % 4 // 2] / f"{number}.png", array)
    assert load(tmp_path).class_names == ("apps", "places")
    for number, array in enumerate(GREY):
        save(tmp_path / "flat" / ("16x16", "32x32")[number % 2] / f"{number}.png", array)
    assert load(tmp_path / "flat").labels is None

"""Parquet files of compressed pictures, as data sets of the hub are stored."""

from __future__ import annotations

import json
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from orthogan.data import load
from orthogan.data.catalogue import SingleSplitError
from orthogan.errors import DataError, MissingExtraError

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

PIXELS = np.random.default_rng(0).integers(0, 256, (20, 16, 16), dtype=np.uint8)


def png(array: np.ndarray) -> bytes:
    stream = BytesIO()
    Image.fromarray(array).save(stream, "PNG")
    return stream.getvalue()


PICTURES = [png(array) for array in PIXELS]


def write(path: Path, columns: dict[str, Any], names: list[str] | None = None) -> Path:
    table = pa.table(columns)
    if names is not None:
        features = {"image": {"_type": "Image"}, "label": {"names": names, "_type": "ClassLabel"}}
        about = {"huggingface": json.dumps({"info": {"features": features}})}
        table = table.replace_schema_metadata(about)
    pq.write_table(table, path)
    return path


def cells(pictures: list[bytes | None]) -> list[dict[str, Any] | None]:
    return [None if each is None else {"bytes": each, "path": "x.png"} for each in pictures]


def test_pictures_with_the_names_of_classes(tmp_path: Path) -> None:
    columns = {"text": ["x"] * 20, "image": cells(PICTURES), "label": [n % 2 for n in range(20)]}
    images = load(write(tmp_path / "a.parquet", columns, ["dog", "cat"]))
    assert torch.equal(images.images[:, 0], torch.from_numpy(PIXELS))
    assert images.class_names == ("cat", "dog")
    assert images.labels is not None
    assert images.labels.tolist() == [1, 0] * 10
    assert (images.name, images.notes) == ("a.parquet", ())


@pytest.mark.parametrize("labels", [["b", "a"] * 10, [7, 3] * 10])
def test_bytes_without_a_frame_and_labels_without_names(tmp_path: Path, labels: list[Any]) -> None:
    images = load(write(tmp_path / "a.parquet", {"img": PICTURES, "label": labels}))
    assert torch.equal(images.images[:, 0], torch.from_numpy(PIXELS))
    assert images.class_names == tuple(sorted(map(str, set(labels))))
    assert images.labels is not None
    assert images.labels.tolist() == [1, 0] * 10


@pytest.mark.parametrize("missing", [-1, None])
def test_a_row_without_a_class(tmp_path: Path, missing: int | None) -> None:
    columns = {"image": cells(PICTURES), "label": [missing] + [1] * 19}
    assert load(write(tmp_path / "a.parquet", columns)).labels is None


def test_bad_rows_are_skipped(tmp_path: Path) -> None:
    columns = {"image": cells([None, b"no picture", *PICTURES])}
    (note,) = load(write(tmp_path / "a.parquet", columns)).notes
    assert note.startswith("Skipped 2 of 22 files: a.parquet row 0 (no picture in this row), ")
    assert note.endswith("a.parquet row 1 (not a readable image).")


def test_shards_and_the_held_out_part(tmp_path: Path) -> None:
    data = tmp_path / "set" / "data"
    data.mkdir(parents=True)
    for shard in range(2):
        part = PICTURES[10 * shard : 10 * shard + 10]
        write(data / f"train-0000{shard}-of-00002.parquet", {"image": cells(part)})
    with pytest.raises(SingleSplitError):
        load(tmp_path / "set", split="test")
    write(data / "test-00000-of-00001.parquet", {"image": cells(PICTURES[:3])})
    images = load(tmp_path / "set")
    assert torch.equal(images.images[:, 0], torch.from_numpy(PIXELS))
    assert images.notes[0].startswith("Split by its files: train-00000-of-00002.parquet, train-")
    assert len(load(tmp_path / "set", split="test")) == 3


def test_no_pictures(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", {"text": ["x"] * 20, "label": [1] * 20})
    with pytest.raises(DataError, match=r"has no column of compressed pictures.*only: text, label"):
        load(path)


@pytest.mark.parametrize("about", [b"", b"{", b"[]", b'{"info": 3}', b"[" * 100_000])
def test_other_remarks_in_a_schema_are_no_names(tmp_path: Path, about: bytes) -> None:
    table = pa.table({"image": cells(PICTURES), "label": [n % 2 for n in range(20)]})
    pq.write_table(table.replace_schema_metadata({"huggingface": about}), tmp_path / "a.parquet")
    assert load(tmp_path / "a.parquet").class_names == ("0", "1")


def test_damaged_files_are_one_sentence(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", {"image": cells(PICTURES), "label": [1] * 20})
    content = path.read_bytes()
    source = np.random.default_rng(0)
    read, messages = 0, []
    for _ in range(60):
        damaged = bytearray(content)
        for place in source.integers(0, len(content), 3):
            damaged[place] = source.integers(256)
        path.write_bytes(damaged)
        try:
            read += len(load(path)) >= 16
        except DataError as error:
            messages.append(str(error))
    assert 0 < read < 60
    assert all(str(path) in message and "\n" not in message for message in messages)


def test_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.parquet", {"image": cells(PICTURES)})
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'orthogan\[parquet\]'"):
        load(path)

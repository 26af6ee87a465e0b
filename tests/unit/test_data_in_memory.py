"""Images that a Python program holds: what is accepted, what it becomes, and runs on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import Dataset, IterableDataset, TensorDataset

import orthogan as og
from orthogan.data import in_memory
from orthogan.data.dataset_items import read_items
from orthogan.errors import ConfigError, DataError, ResumeError

GREY = np.random.default_rng(0).integers(0, 256, (20, 16, 16), dtype=np.uint8)
RGB = np.random.default_rng(1).integers(0, 256, (20, 16, 16, 3), dtype=np.uint8)
KINDS = np.arange(20) % 4


@pytest.mark.parametrize(
    "given",
    [
        GREY, GREY[..., None], GREY[:, None], torch.from_numpy(GREY), GREY / 255,
        torch.from_numpy(GREY)[:, None] / 255, (GREY / 127.5 - 1).astype(np.float32),
        GREY.astype(np.int64), torch.from_numpy(GREY / 255).requires_grad_(),
        list(GREY), tuple(torch.from_numpy(GREY)), [Image.fromarray(each) for each in GREY],
    ],
)  # fmt: skip
def test_forms_of_grey_images(given: Any) -> None:
    images = og.load_data(given)
    assert torch.equal(images.images[:, 0], torch.from_numpy(GREY))
    assert images.labels is None


@pytest.mark.parametrize(
    "given",
    [
        RGB, RGB.transpose(0, 3, 1, 2), torch.from_numpy(RGB).permute(0, 3, 1, 2) / 255,
        [torch.from_numpy(each).permute(2, 0, 1) for each in RGB],
        [Image.fromarray(each) for each in RGB],
    ],
)  # fmt: skip
def test_forms_of_rgb_images(given: Any) -> None:
    images = og.load_data(given)
    assert torch.equal(images.images.permute(0, 2, 3, 1), torch.from_numpy(RGB))


@pytest.mark.parametrize("labels", [KINDS, torch.from_numpy(KINDS), KINDS.tolist(), KINDS[:, None]])
def test_labels_and_their_names(labels: Any) -> None:
    images = og.load_data(GREY, labels)
    assert images.class_names == ("0", "1", "2", "3")
    assert images.labels is not None
    assert images.labels.tolist() == KINDS.tolist()
    named = og.load_data(GREY, labels, class_names=["zebra", "ape", "owl", "cat", "unused"])
    assert named.class_names == ("zebra", "ape", "owl", "cat")
    assert named.labels is not None
    assert named.labels.tolist() == KINDS.tolist()


def test_texts_as_labels() -> None:
    images = og.load_data(GREY, ["b", "a"] * 10)
    assert images.class_names == ("a", "b")


class Shapes(Dataset[Any]):
    """As torchvision's: `classes`, items by number, no end of its own."""

    classes = ("circle", "square", "star", "cross")

    def __init__(self, form: str) -> None:
        self.form = form

    def __len__(self) -> int:
        return 20

    def __getitem__(self, number: int) -> Any:
        image, label = torch.from_numpy(GREY[number])[None] / 255, int(KINDS[number])
        return {
            "pair": (image, label),
            "tensor": (image, torch.tensor(label)),
            "alone": image,
            "single": (image,),
            "dictionary": {"image": Image.fromarray(GREY[number]), "label": label},
            "boxes": (image, {"boxes": [1, 2]}),
        }[self.form]


class Stream(IterableDataset[Any]):
    def __iter__(self) -> Iterator[Any]:
        return (Shapes("pair")[number] for number in range(20))


@pytest.mark.parametrize("form", ["pair", "tensor", "dictionary", "stream"])
def test_data_sets_of_pytorch(form: str) -> None:
    given: Any = Stream() if form == "stream" else Shapes(form)
    images = og.load_data(given)
    assert torch.equal(images.images[:, 0], torch.from_numpy(GREY))
    assert images.labels is not None
    assert images.labels.tolist() == KINDS.tolist()
    names = ("0", "1", "2", "3") if form == "stream" else Shapes.classes
    assert images.class_names == names


@pytest.mark.parametrize("form", ["alone", "single", "boxes"])
def test_data_sets_without_classes(form: str) -> None:
    images = og.load_data(Shapes(form))
    assert images.labels is None
    assert bool(images.notes) == (form == "boxes")


def test_a_tensor_data_set() -> None:
    given = TensorDataset(torch.from_numpy(RGB).permute(0, 3, 1, 2), torch.from_numpy(KINDS))
    images = og.load_data(given)
    assert torch.equal(images.images.permute(0, 2, 3, 1), torch.from_numpy(RGB))
    assert images.class_names == ("0", "1", "2", "3")


def test_other_sizes_are_made_from_the_original() -> None:
    large = np.random.default_rng(2).integers(0, 256, (16, 96, 48), dtype=np.uint8)
    assert og.load_data(large).size == 32
    assert "resized from 96 x 48 to 32 x 32" in og.load_data(large).notes[0]
    assert og.load_data(large, size=48).size == 48
    mixed = [each[: 36 + 4 * number] for number, each in enumerate(large)]
    assert "16 different shapes" in og.load_data(mixed).notes[0]


def test_transparent_pictures_get_the_ground_that_keeps_them() -> None:
    layers = np.full((20, 16, 16, 4), 255, np.uint8)
    layers[:, :, 8:, 3] = 0  # white on nothing
    layers[:, 0, 0, :3] = np.arange(20)[:, None]
    images = og.load_data([Image.fromarray(each) for each in layers])
    assert images.images.float().std() > 100
    assert images.notes == (
        (
            "20 of 20 images: transparent, laid over black, as white would hide some"
            "; --colour rgba keeps transparency."
        ),
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (np.zeros((20, 16)), "images have shape B x H x W"),
        (np.full((20, 16, 16), np.nan), "NaN or infinite"),
        (np.full((20, 16, 16), 300), r"pixel values lie in 0\.\.255"),
        (np.array(["x"] * 20), "images have shape"),
        (GREY[:5], "at least 16 usable images, got 5"),
        ([], "The data set is empty"),
        ([GREY[0].astype(float) / 127.5 - 1] * 20, "floats lie in .* leave out the transform"),
        ([GREY[0].astype(int)] * 20, "Item 0 .* are bytes .uint8. or floats .* got int64"),
        ([GREY[0], "x.png"], "Item 1 of the data set: .* got str"),
        ([GREY[0], Image.fromarray(GREY[1])], "some arrays; give one kind"),
        ([np.zeros((16, 16, 7), np.uint8)], "Item 0 of the data set: images have shape"),
        ([np.zeros(3, np.uint8)], "Item 0 of the data set: an image is H x W"),
        ([{"pixels": GREY[0]}], "Item 0 has none of the keys image"),
    ],
)
def test_what_is_no_images(given: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        og.load_data(given)


def test_what_has_no_items() -> None:
    with pytest.raises(DataError, match="an array, a tensor or a data set, got int"):
        read_items(3)


@pytest.mark.parametrize(
    ("labels", "names", "message"),
    [
        (KINDS[:-1], (), "one label per image is needed, got 19"),
        (KINDS / 2, (), "labels are one whole number or text"),
        (KINDS, ("a", "b"), "2 class names are for labels from 0 to 1, got 0 to 3"),
        (KINDS - 1, ("a", "b", "c", "d"), "from 0 to 3, got -1 to 2"),
        (KINDS, ("a", "b", "a", "c"), "two classes have the same name"),
    ],
)
def test_labels_that_are_none(labels: Any, names: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        og.load_data(GREY, labels, class_names=names)


def test_labels_go_with_arrays_alone(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="labels= and class_names= go with images in memory"):
        og.load_data("mnist", KINDS)
    with pytest.raises(ConfigError, match="labels= goes with an array or a tensor"):
        og.load_data(Shapes("pair"), KINDS)


def test_a_name_follows_from_the_content() -> None:
    name = in_memory.keep(GREY)
    assert in_memory.keep(torch.from_numpy(GREY)) == name
    assert in_memory.keep(GREY, KINDS) != name
    changed = GREY.copy()
    changed[7, 3, 3] ^= 1
    assert in_memory.keep(changed) != name
    assert in_memory.keep(GREY.reshape(20, 8, 32)) != name
    with pytest.raises(DataError, match="single split"):
        og.load_data(name, split="test")


def train(source: Any, folder: Path, images: int, **options: Any) -> og.Run:
    settings = ("generator.width=16", "generator.blocks=1", "discriminator.width=16",
                "batch_size=16", "discriminator.blocks=1")  # fmt: skip
    return og.train(source, run=folder, images=images, settings=settings, show_progress=False,
                    **options)  # fmt: skip


def test_a_run_on_an_array_is_resumed_and_scored_by_the_same_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (256, 16, 16), dtype=np.uint8)
    run = train(pixels, tmp_path / "run", 32)
    assert run.status == "done"
    assert "memory:" in (tmp_path / "run" / "run.json").read_text()
    monkeypatch.setattr(in_memory, "_KEPT", {})  # as in another process
    with pytest.raises(DataError, match="were in the memory of another Python process"):
        og.evaluate(run.path, metrics=["kd"], num_images=128)
    assert train(pixels, tmp_path / "run", 32).status == "done"
    found = og.evaluate(run.path, metrics=["kd"], num_images=128)
    same = og.evaluate(run.path, pixels, metrics=["kd"], num_images=128)
    assert found.to_dict()["scores"] == same.to_dict()["scores"]
    with pytest.raises(ResumeError):
        train(255 - pixels, tmp_path / "run", 32)


def test_an_image_set_is_a_source_too(tmp_path: Path) -> None:
    images = og.load_data(RGB, KINDS, class_names=["a", "b", "c", "d"])
    again = og.load_data(images)
    assert again.fingerprint() == images.fingerprint()
    assert again.class_names == images.class_names
    assert og.resolve(images, images=32).generator.colours == 3
    with pytest.raises(ConfigError, match="draws its images afresh; give its name"):
        og.load_data(og.load_data("stacked-mnist"))


def test_a_classifier_learns_from_arrays(tmp_path: Path) -> None:
    shades = (np.arange(80) % 2 * 150 + 50)[:, None, None] + np.zeros((80, 16, 16))
    images = og.load_data(shades.astype(np.uint8), np.arange(80) % 2, class_names=["dark", "light"])
    run = og.classify(images, images=64, run=tmp_path / "run", show_progress=False)
    assert run.status == "done"
    assert run.load().scheme.names == ("dark", "light")

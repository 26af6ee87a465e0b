from __future__ import annotations

import hashlib
from importlib.resources import files
from pathlib import Path

import pytest
import torch

from orthogan.data import ImageSet, load, to_floats
from orthogan.data.sets import mnist
from orthogan.data.sets.mnist import DIGITS, FILES, checked_content, load_mnist, stack
from orthogan.errors import DataError


@pytest.fixture(scope="module")
def digits() -> ImageSet:
    return load("mnist", split="test")


def test_the_test_split(digits: ImageSet) -> None:
    assert digits.images.shape == (10_000, 1, 28, 28)
    assert digits.labels is not None
    assert digits.labels[:5].tolist() == [7, 2, 1, 0, 4]
    assert digits.class_names == DIGITS
    assert (digits.name, digits.split, digits.notes) == ("mnist", "test", ())


def test_the_train_split() -> None:
    train = load("mnist")
    assert train.images.shape == (60_000, 1, 28, 28)
    assert train.labels is not None
    # Class counts as published with the data base.
    assert torch.bincount(train.labels).tolist() == [
        5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949,
    ]  # fmt: skip
    # Mean and deviation that every MNIST example normalises with.
    floats = train.images.float() / 255
    assert float(floats.mean()) == pytest.approx(0.1307, abs=5e-5)
    assert float(floats.std()) == pytest.approx(0.3081, abs=5e-5)


@pytest.mark.parametrize("key", [("test", 1), ("train", 1)])
def test_a_corrupted_byte_is_found(key: tuple[str, int]) -> None:
    name, md5, num_bytes = FILES[key]
    good = files("orthogan.assets").joinpath("mnist", f"{name}.gz").read_bytes()
    assert len(checked_content(good, name, md5, num_bytes)) == num_bytes
    for position in (20, len(good) // 2, len(good) - 5):
        bad = bytearray(good)
        bad[position] ^= 1
        with pytest.raises(DataError, match=f"{name} does not have its published checksum"):
            checked_content(bytes(bad), name, md5, num_bytes)
    with pytest.raises(DataError, match="published checksum"):
        checked_content(good, name, hashlib.md5(b"other").hexdigest(), num_bytes)


def test_the_attribution_ships_with_every_checksum() -> None:
    readme = files("orthogan.assets").joinpath("mnist", "README.md").read_text(encoding="ascii")
    assert "Attribution-Share Alike 3.0" in readme
    for name, md5, _ in FILES.values():
        assert f"| {name} | {md5} |" in readme


def test_another_size_and_colour_are_stated(
    digits: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = mnist.read_embedded
    monkeypatch.setattr(mnist, "read_embedded", lambda split, axes: whole(split, axes)[:200])
    large = load("mnist", split="test", size=32, colour="rgb")
    assert large.images.shape == (200, 3, 32, 32)
    assert large.notes == ("Images were resized from 28 x 28 to 32 x 32.",)
    assert large.labels is not None
    assert digits.labels is not None
    assert torch.equal(large.labels, digits.labels[:200])
    mean = float(digits.images[:200].float().mean())
    assert float(large.images.float().mean()) == pytest.approx(mean, rel=0.02)


def test_stacked_mnist_labels_are_its_digits(digits: ImageSet) -> None:
    stacked = stack(digits, num_images=300, seed=5)
    assert digits.labels is not None
    assert stacked.labels is not None
    assert stacked.images.shape == (300, 3, 28, 28)
    assert len(stacked.class_names) == 1000
    assert stacked.class_names[42] == "042"
    by_content = {
        image.numpy().tobytes(): int(label)
        for image, label in zip(digits.images[:, 0], digits.labels, strict=True)
    }
    for image, label in zip(stacked.images, stacked.labels.tolist(), strict=True):
        red, green, blue = (by_content[channel.numpy().tobytes()] for channel in image)
        assert label == 100 * red + 10 * green + blue


def test_stacked_mnist_is_a_function_of_the_seed(digits: ImageSet) -> None:
    short, long = stack(digits, 50, seed=1), stack(digits, 80, seed=1)
    assert torch.equal(short.images, long.images[:50])
    assert stack(digits, 50, seed=2).fingerprint() != short.fingerprint()
    assert len(stack(digits)) == len(digits)


def test_stacking_needs_labelled_digits(digits: ImageSet) -> None:
    with pytest.raises(DataError, match="ten labelled classes"):
        stack(ImageSet(digits.images))


def test_stacked_mnist_as_a_source(monkeypatch: pytest.MonkeyPatch) -> None:
    stacked = load("stacked-mnist", split="test")
    assert (len(stacked), stacked.colours, stacked.split) == (10_000, 3, "test")
    assert stacked.notes == ()
    assert stacked.labels is not None
    # Uniform triples: all but a few of 1000 classes are met in 10,000 draws.
    assert len(stacked.labels.unique()) > 990
    whole = mnist.read_embedded
    monkeypatch.setattr(mnist, "read_embedded", lambda split, axes: whole(split, axes)[:200])
    grey = load("stacked-mnist", split="test", colour="grey")
    assert grey.colours == 1
    assert grey.notes == ("RGB images were turned to grey (Rec. 601 luminance).",)
    large = load("stacked-mnist", size=32)
    assert large.images.shape == (200, 3, 32, 32)
    assert large.notes == ("Images were resized from 28 x 28 to 32 x 32.", mnist.FRESH_NOTE)


def test_training_draws_fresh_triples_of_digits(digits: ImageSet) -> None:
    stacked = stack(digits, num_images=100)
    order = stacked.order(seed=3)
    index = order.batch(0, 3 * 10_000)
    assert index.shape == (30_000, 3)
    assert len(index.unique(dim=0)) == 30_000  # of 10^12 triples: no epochs that repeat
    # Independent planes: a digit in one tells nothing of the digit in another.
    kinds = digits.labels[index]
    both = torch.bincount(10 * kinds[:, 0] + kinds[:, 2], minlength=100).reshape(10, 10).double()
    expected = both.sum(1, keepdim=True) * both.sum(0) / both.sum()
    assert float(((both - expected).square() / expected).sum()) < 126  # chi2(81), p = 0.001
    images, labels = stacked.take(index[:5])
    assert torch.equal(images, digits.images[index[:5], 0])
    assert labels.tolist() == [100 * r + 10 * g + b for r, g, b in kinds[:5].tolist()]
    assert torch.equal(stacked.floats(index[:5]), to_floats(images))


def test_a_triple_depends_on_the_seed_and_its_place_alone(digits: ImageSet) -> None:
    stacked = stack(digits, num_images=20)
    walked, jumped = stacked.order(seed=3), stacked.order(seed=3)
    for seen in range(0, 10_000, 2000):
        walked.batch(seen, 2000)
    straddling = jumped.batch(9990, 30)
    assert torch.equal(torch.cat([walked.batch(9990, 16), walked.batch(10_006, 14)]), straddling)
    assert not torch.equal(stacked.order(seed=4).batch(0, 30), jumped.batch(0, 30))


def test_an_index_of_one_axis_means_the_triples_in_memory(digits: ImageSet) -> None:
    stacked = stack(digits, num_images=20).to("cpu")
    images, labels = stacked.take(torch.tensor([4, 2]))
    assert torch.equal(images, stacked.images[[4, 2]])
    assert torch.equal(labels, stacked.labels[[4, 2]])


def test_a_folder_of_the_same_name_is_pointed_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mnist").mkdir()
    monkeypatch.chdir(tmp_path)
    assert load("mnist", split="test").notes == (
        "'mnist' is the data set of that name; for the path, write './mnist'.",
    )
    with pytest.raises(DataError, match="holds no images"):
        load(Path("mnist"))


def test_load_mnist_is_what_the_name_loads(digits: ImageSet) -> None:
    from orthogan.data import DATA_SETS

    assert DATA_SETS["mnist"].read is load_mnist
    assert list(DATA_SETS) == ["mnist", "stacked-mnist"]

"""The extractor that is trained on a data set itself, the second judge, and the accuracy score."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

import orthogan as og
from orthogan.cli import main
from orthogan.data import ImageSet, load
from orthogan.errors import ConfigError
from orthogan.evaluation import evaluate_images, frechet_distance, moments
from orthogan.evaluation.choice import extractor_for, second_for
from orthogan.evaluation.extractors import load_extractor
from orthogan.evaluation.own import OwnExtractor, extractor, learning, own_extractor
from orthogan.evaluation.own.inputs import opaque
from orthogan.evaluation.own.learning import contrast, plan
from orthogan.evaluation.own.views import views
from orthogan.evaluation.verdict import agreed
from orthogan.gan import evaluation
from orthogan.networks import GENERATORS
from orthogan.networks.sampling import sample_pixels
from orthogan.rng import latents, stream

COUNT = 400


@pytest.fixture(autouse=True)
def short_training(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, one_thread: None) -> None:
    """Training that takes a second, and a cache of its own."""
    monkeypatch.setenv("ORTHOGAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(learning, "NUM_SHOWN", 1000)
    monkeypatch.setattr(extractor, "LEAST_A_CLASS", 30)


@pytest.fixture(scope="module")
def digits() -> ImageSet:
    test = load("mnist", split="test")
    assert test.labels is not None
    return replace(test, images=test.images[:COUNT], labels=test.labels[:COUNT], name="some digits")


@pytest.fixture(scope="module")
def unseen() -> torch.Tensor:
    return load("mnist", split="test").images[COUNT : 2 * COUNT]


def without_labels(images: ImageSet) -> ImageSet:
    return replace(images, labels=None, class_names=())


def distances(net: OwnExtractor, real: torch.Tensor, *others: torch.Tensor) -> list[float]:
    reference = moments(net.describe(real)[0][:, -64:])
    return [frechet_distance(moments(net.describe(each)[0][:, -64:]), reference) for each in others]


def test_labels_are_learned_from(
    digits: ImageSet, unseen: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learning, "NUM_SHOWN", 6000)
    net = own_extractor(digits)
    assert net.num_labels == 10
    assert net.check > 0.7  # of 40 held-out digits, after 6,000 views
    assert "10 classes" in net.sentence
    noisy = (unseen.int() + torch.randint(-60, 60, unseen.shape)).clamp(0, 255).to(torch.uint8)
    real, spoilt = distances(net, digits.images, unseen, noisy)
    assert spoilt > 2 * real


def test_images_without_labels_are_learned_from(digits: ImageSet) -> None:
    net = own_extractor(without_labels(digits))
    assert net.num_labels == 0
    assert net.check > 0.2  # by chance 1 in 40
    assert "without labels" in net.sentence


def test_it_is_trained_once(digits: ImageSet, monkeypatch: pytest.MonkeyPatch) -> None:
    first = own_extractor(digits)
    monkeypatch.setattr(extractor, "learn_classes", None)
    second = own_extractor(digits)
    assert (first.name, first.check) == (second.name, second.check)
    assert torch.equal(first.describe(digits.images)[0], second.describe(digits.images)[0])


def test_other_images_or_labels_make_another_one(digits: ImageSet) -> None:
    names = {own_extractor(each).name for each in (digits, without_labels(digits))}
    assert len(names) == 2


def test_a_damaged_or_foreign_file_is_trained_again(digits: ImageSet, tmp_path: Path) -> None:
    name = own_extractor(digits).name
    (path,) = (tmp_path / "cache").iterdir()
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert own_extractor(digits).name == name
    extractor.keep(path.stem, {"head.bias": torch.zeros(3)})
    assert own_extractor(digits).name == name


def test_the_same_image_has_the_same_features_in_any_company(digits: ImageSet) -> None:
    net = own_extractor(without_labels(digits))
    features = net.describe(digits.images)[0]
    assert torch.equal(net.describe(digits.images[7:8])[0], features[7:8])
    assert features.shape == (COUNT, net.num_features)


def test_transparent_images_are_learned_over_both_grounds(digits: ImageSet) -> None:
    wide = digits.images.expand(-1, 4, -1, -1).contiguous()
    assert own_extractor(ImageSet(wide)).channels == 3
    clear = torch.zeros(2, 4, 8, 8, dtype=torch.uint8)
    assert opaque(clear).float().mean((1, 2, 3)).tolist() == [255, 0]


@pytest.mark.parametrize("count", [0, 399])
def test_few_images_are_refused(digits: ImageSet, count: int) -> None:
    few = replace(digits, images=digits.images[:count], labels=None, class_names=())
    with pytest.raises(ConfigError, match=f"at least 400 images, and of some digits.* {count}"):
        own_extractor(few)


def test_how_far_it_is(digits: ImageSet) -> None:
    told: list[tuple[str, int, int]] = []
    own_extractor(digits, lambda *facts: told.append(facts))
    assert told[-1][1] == told[-1][2]
    assert [done for _, done, _ in told] == sorted({done for _, done, _ in told})


def test_views_keep_what_a_judge_must_see() -> None:
    plain = torch.full((4, 3, 32, 32), -0.25)
    assert torch.allclose(views(plain, stream(0, "views")), plain, atol=1e-6)
    images = torch.rand(4, 1, 32, 32)
    seen = views(images, stream(0, "views"))
    assert seen.shape == images.shape
    assert images.min() <= seen.min() <= seen.max() <= images.max()
    assert torch.equal(seen, views(images, stream(0, "views")))
    assert not torch.equal(seen, views(images, stream(1, "views")))


def test_the_contrast_is_that_of_its_definition() -> None:
    outputs = torch.randn(6, 5, generator=torch.Generator().manual_seed(0))
    total = 0.0
    for i in range(6):
        others = [j for j in range(6) if j != i]
        likeness = {
            j: float(functional.cosine_similarity(outputs[i], outputs[j], dim=0)) / 0.2
            for j in others
        }
        total -= likeness[(i + 3) % 6] - np.log(sum(np.exp(v) for v in likeness.values()))
    assert float(contrast(outputs)) == pytest.approx(total / 6, rel=1e-5)


def test_a_small_set_is_shown_less_often() -> None:
    assert plan(10, 1).steps * plan(10, 1).batch == learning.MOST_EPOCHS * 10
    assert plan(10**6, 2).steps * plan(10**6, 2).batch * 2 <= learning.NUM_SHOWN


def test_the_second_judge_has_another_architecture(digits: ImageSet) -> None:
    known = replace(digits, name="mnist")
    first = extractor_for(known)
    assert first.name.startswith("digits-cls")
    second = second_for(known, first)
    assert second is not None
    assert second.name.startswith("own@")
    few = replace(digits, images=digits.images[:100], labels=None, class_names=())
    general = load_extractor("general")
    assert second_for(few, general) is None
    third = second_for(few, load_extractor("digits-cls"))
    assert third is not None
    assert third.name == general.name
    assert extractor_for(digits, "own").name.startswith("own@")


def test_no_second_judge_of_stacked_digits() -> None:
    stacked = ImageSet(
        torch.zeros(400, 3, 28, 28, dtype=torch.uint8),
        torch.zeros(400, dtype=torch.int64),
        tuple(map(str, range(1000))),
    )
    assert second_for(stacked, load_extractor("digits-cls")) is None


@pytest.mark.parametrize(
    ("first", "second", "begins"),
    [
        ("Usable: 90 %.", "Usable: 80 %.", "Usable: 90 %. A second judge, b, agrees."),
        ("Usable: 90 %.", "Collapsed.", "In doubt: a calls the images usable, but"),
        ("Usable: 90 %.", "No verdict: x.", "Usable: 90 %."),
        ("Collapsed.", "Usable: 80 %.", "Collapsed. A second judge, b, calls them usable."),
        ("Collapsed.", "Short of variety.", "Collapsed."),
    ],
)
def test_usable_is_what_both_judges_call_usable(first: str, second: str, begins: str) -> None:
    assert agreed(first, "a", second, "b").startswith(begins)


@pytest.mark.second_judge
def test_an_evaluation_asks_a_second_judge(digits: ImageSet, unseen: torch.Tensor) -> None:
    known = replace(digits, name="mnist")
    found = evaluate_images(unseen, known, second_judge="auto")
    assert found.second is not None
    assert found.second.extractor.startswith("own@")
    assert f"A second judge, {found.second.extractor}, agrees." in found.verdict
    assert set(found.second.scores) >= {"precision", "recall", "coverage"}
    assert found.to_dict()["second"]["verdict"] == found.second.verdict
    assert any("classifies" in note for note in found.notes)
    assert "second" not in evaluate_images(unseen, known).to_dict()
    short = evaluate_images(unseen, known, metrics=["precision"], second_judge="auto")
    assert short.second is None


@pytest.mark.second_judge
def test_what_one_judge_overlooks_is_in_doubt(digits: ImageSet, unseen: torch.Tensor) -> None:
    """Constant features: to that judge, all images are in place."""

    class Blind:
        channels, size, num_components, num_classes = 1, None, None, 0
        num_features, domain, name, sha256 = 2, "nothing", "blind@000000", "0"

        def knows(self, images: ImageSet) -> bool:
            return True

        def describe(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            rows = torch.rand(len(pixels), 2, generator=torch.Generator().manual_seed(len(pixels)))
            return rows, torch.zeros(len(pixels), 0)

    mixed = unseen.clone()
    mixed[: COUNT // 2] = load("mnist", split="test").images.flip(2)[: COUNT // 2]
    known = replace(digits, name="mnist")
    found = evaluate_images(mixed, known, extractor=Blind(), second_judge="digits-cls")
    assert found.verdict.startswith("In doubt: blind@000000 calls the images usable")


def test_a_classifier_of_generated_images_is_asked_about_real_ones(
    digits: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learning, "NUM_SHOWN", 4000)
    test = load("mnist", split="test")
    assert test.labels is not None
    part = slice(COUNT, 2 * COUNT)
    held_out = replace(test, images=test.images[-300:], labels=test.labels[-300:])
    taught, labels = test.images[part], test.labels[part].long()
    wanted = {"held_out": held_out, "metrics": ["classifier-accuracy"]}
    good = evaluate_images(ImageSet(taught, labels), digits, **wanted).scores["classifier-accuracy"]
    assert good.n == COUNT
    assert good.value > 0.6
    assert 0.6 < good.floor < 1
    wrong = (labels + 1) % 10
    bad = evaluate_images(ImageSet(taught, wrong), digits, **wanted).scores["classifier-accuracy"]
    assert bad.value < 0.2
    assert digits.labels is not None
    mislabelled = replace(digits, labels=(digits.labels + 1) % 10)
    found = evaluate_images(ImageSet(taught, labels), mislabelled, **wanted)
    assert found.scores["classifier-accuracy"].floor < 0.2  # learned from real images alone
    with pytest.raises(ConfigError, match="condition=classes"):
        evaluate_images(taught, digits, **wanted)


def test_the_class_of_a_seed_is_that_of_its_image() -> None:
    tree = {"kind": "attention", "size": 16, "classes": 3, "latent_size": 8, "width": 8}
    generator = GENERATORS["attention"](**tree, hidden=16, blocks=1, channels=4).build()
    seeds = list(range(40))
    classes = generator.classes_of(latents(seeds, 8))
    for seed in seeds[:8]:
        asked = sample_pixels(generator, [seed], [int(classes[seed])])
        assert torch.equal(asked, sample_pixels(generator, [seed]))
    assert len(set(classes.tolist())) == 3


def test_the_classes_asked_for_are_those_of_the_data(digits: ImageSet) -> None:
    model = og.load("mnist-demo")
    asked = evaluation._asked_classes(model, digits, range(20))
    assert asked is not None
    shown = load_extractor("digits-cls").describe(model.sample(range(20)))[1].argmax(1)
    assert int((asked == shown).sum()) >= 18
    other = replace(digits, class_names=tuple("abcdefghij"))
    assert evaluation._asked_classes(model, other, range(20)) is None
    assert evaluation._asked_classes(None, digits, range(20)) is None


@pytest.mark.second_judge
def test_the_table_names_the_second_judge(
    tmp_path: Path, digits: ImageSet, unseen: torch.Tensor, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "real.npz", images=digits.images[:, 0].numpy())
    np.savez(tmp_path / "fake.npz", images=unseen[:, 0].numpy())
    words = ["evaluate", str(tmp_path / "fake.npz"), "--data", str(tmp_path / "real.npz")]
    words += ["--num-images", str(COUNT), "--extractor"]
    assert main([*words, "digits-cls,own"]) == 0
    assert "precision[own@" in capsys.readouterr().out
    assert main([*words, "digits-cls", "--json"]) == 0
    assert "second" not in json.loads(capsys.readouterr().out)

"""The Python face of classification: settings, trained classifiers, predictions, refusals."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from orthogan import data
from orthogan.classification import api as classifiers
from orthogan.classification import model as classifier_model
from orthogan.classification.model import ImageClassifier
from orthogan.classification.passes import PASS_SIZE
from orthogan.classification.trainer import ClassifierTrainer
from orthogan.data.named import read_named
from orthogan.errors import BundleError, ConfigError, DataError, ShapeError, UnknownNameError
from orthogan.evaluation import EXTRACTORS, Extractor, evaluate_images
from orthogan.models import generator


@pytest.fixture
def trained(classify_tiny, tmp_path: Path) -> ImageClassifier:
    found: ImageClassifier = classify_tiny(tmp_path / "trained", images=640).load()
    return found


def shown(count: int = 5) -> torch.Tensor:
    noise = np.random.default_rng(0).integers(0, 256, (count, 1, 16, 16), dtype=np.uint8)
    return torch.from_numpy(noise)


def save_pictures(folder: Path, pixels: torch.Tensor) -> Path:
    folder.mkdir(parents=True)
    for number, image in enumerate(pixels):
        Image.fromarray(image[0].numpy()).save(folder / f"{number:02d}.png")
    return folder


# ---- settings


def test_later_words_win_over_earlier_ones(tiny_file: Path, tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text("batch_size = 8\nseed = 5\n[distortion]\nbend = 0.5\n[network]\nwidth = 16")
    config = classifiers.resolve_classification(
        tiny_file,
        config=file,
        seed=7,
        images=1000,
        size=20,
        test=tiny_file,
        settings=["batch_size=4", "network.blocks=1"],
    )
    assert (config.batch_size, config.distortion.bend, config.seed) == (4, 0.5, 7)
    assert config.budget.to_dict() == {"images": 1000, "seconds": None}
    assert config.data.source == config.data.test == str(tiny_file)
    network = config.network.to_dict()
    assert (network["width"], network["blocks"], network["size"]) == (16, 1, 20)
    assert (network["colours"], network["classes"], network["labels"]) == (1, 4, 1)
    file.with_suffix(".json").write_text(json.dumps(config.to_dict()))
    assert classifiers.resolve_classification(config=file.with_suffix(".json")) == config


def test_budgets(tiny_file: Path) -> None:
    assert classifiers.resolve_classification(tiny_file).budget.seconds == 600
    assert classifiers.resolve_classification(tiny_file, minutes=2.0).budget.seconds == 120


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"minutes": 1.0, "images": 10}, ConfigError, "exclude one another"),
        ({"images": 0}, ConfigError, "images"),
        ({"settings": ["batchsize=3"]}, ConfigError, "Did you mean 'batch_size'"),
        ({"settings": ["network.kind=atention"]}, UnknownNameError, "attention"),
        ({"settings": ["network.score=sofmax"]}, UnknownNameError, "softmax"),
        ({"settings": ["network.heads=7"]}, ConfigError, "multiple of heads = 7"),
        ({"settings": ["network.blocks=0"]}, ConfigError, "use read_out=mean"),
        ({"settings": ["data.label_parts=2"]}, DataError, "class names of 2 characters"),
        ({"size": 18}, ConfigError, "18"),
        ({"seed": -1}, ConfigError, "seed"),
        ({"config": "nowhere.toml"}, ConfigError, "nowhere.toml"),
        ({"test": "nowhere"}, DataError, "neither an existing file"),
    ],
)
def test_impossible_requests_are_refused(
    tiny_file: Path, options: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        classifiers.resolve_classification(tiny_file, **options)


def test_devices_and_threads(classify_tiny, tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="Unknown device 'gpu'"):
        classify_tiny(tmp_path / "run", device="gpu")
    assert not (tmp_path / "run").exists()
    classify_tiny(tmp_path / "run", images=16, threads=1)
    torch.set_num_threads(2)
    classify_tiny(tmp_path / "run", images=16)
    assert torch.get_num_threads() == 1  # as many as it had
    classifier_model.load_classifier(tmp_path / "run", threads=2)
    assert torch.get_num_threads() == 2
    with pytest.raises(UnknownNameError, match="Unknown device 'gpu'"):
        classifier_model.load_classifier(tmp_path / "run", device="gpu")


def test_the_default_run_folder(
    classify_tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = classify_tiny(None, images=16, seed=3)
    assert run.path == Path("runs/blobs-classifier-3")
    assert classifier_model.load_classifier("blobs-classifier-3").network.config.classes == 4
    tree = json.loads(json.dumps(run.to_dict(), allow_nan=False))
    assert tree["path"] == "runs/blobs-classifier-3"


# ---- a trained classifier


def test_the_answer_to_an_image_is_its_own(trained: ImageClassifier) -> None:
    many = trained.predict(shown(PASS_SIZE + 8))
    some = trained.predict(shown(PASS_SIZE + 8)[[70, 3]])
    assert torch.equal(some.probabilities, many.probabilities[[70, 3]])
    assert some.names == [many.names[70], many.names[3]]
    assert many.probabilities.shape == (PASS_SIZE + 8, 1, 4)
    torch.testing.assert_close(many.probabilities.sum(2), torch.ones(PASS_SIZE + 8, 1))
    assert torch.equal(many.confidences, many.probabilities.max(2).values[:, 0])
    assert many.names == [str(i) for i in many.probabilities[:, 0].argmax(1).tolist()]
    assert trained.predict(shown(0)).names == []


def test_features_decide_the_logits(trained: ImageClassifier) -> None:
    features = trained.features(shown())
    assert features.shape == (5, trained.network.num_features)
    head = trained.network.head
    logits = features @ head.weight.T + head.bias
    torch.testing.assert_close(logits.softmax(1), trained.predict(shown()).probabilities[:, 0])


def test_attention_of_the_class_token(trained: ImageClassifier) -> None:
    maps = trained.attention(shown())
    assert maps.shape == (5, 1, 2, 4, 4)  # one block of two heads over 4 x 4 patches
    assert float(maps.min()) >= 0
    # The rest of each softmax row goes to the class token itself.
    assert float(maps.sum(dim=(3, 4)).max()) < 1


@pytest.mark.parametrize("wrong", [(2, 3, 16, 16), (2, 1, 28, 28), (2, 1, 16, 12)])
def test_images_of_another_form_are_refused(
    trained: ImageClassifier, wrong: tuple[int, ...]
) -> None:
    pixels = torch.zeros(wrong, dtype=torch.uint8)
    for ask in (trained.predict, trained.features, trained.attention, trained.draw_attention):
        with pytest.raises(ShapeError, match=r"Expected images \(1, 16, 16\), got \("):
            ask(pixels)


def test_a_score_on_the_held_out_images_is_the_score_of_the_run(
    classify_tiny, tiny_file: Path, tmp_path: Path
) -> None:
    run = classify_tiny(tmp_path / "run", images=320, test=tiny_file)
    score = run.load().score(tiny_file)
    assert score.to_dict() == run.score
    assert score.num_images == 200


def test_pictures_in_a_folder(trained: ImageClassifier, tmp_path: Path) -> None:
    folder = save_pictures(tmp_path / "photos", shown())
    found = trained.predict_files(folder)
    expected = trained.predict(shown())
    assert found.files == ("00.png", "01.png", "02.png", "03.png", "04.png")
    assert found.predictions.names == expected.names
    assert found.rows()[1] == {
        "file": "01.png",
        "class": expected.names[1],
        "confidence": float(expected.confidences[1]),
    }
    assert (found.skipped, found.notes) == ((), ())
    alone = trained.predict_files(folder / "03.png")
    assert (alone.files, alone.predictions.names) == (("03.png",), [expected.names[3]])


def test_unreadable_pictures_are_listed_and_the_others_named(
    trained: ImageClassifier, tmp_path: Path
) -> None:
    folder = save_pictures(tmp_path / "photos", shown(2))
    (folder / "01b.png").write_bytes(b"no picture")
    Image.new("RGB", (40, 30), "red").save(folder / "sub.jpg")
    (folder / "notes.txt").write_text("not looked at")
    found = trained.predict_files(folder)
    assert found.files == ("00.png", "01.png", "sub.jpg")
    assert found.skipped == (("01b.png", "not a readable image"),)
    assert found.pixels.shape == (3, 1, 16, 16)
    said = " ".join(found.notes)
    assert "RGB images were turned to grey" in said
    assert "Skipped 1 of 4 files: 01b.png (not a readable image)." in said


def test_grey_pictures_for_an_rgb_network(tmp_path: Path) -> None:
    folder = save_pictures(tmp_path / "photos", shown(1))
    found = read_named(folder, 20, 3)
    assert found.pixels.shape == (1, 3, 20, 20)
    assert torch.equal(found.pixels[:, 0], found.pixels[:, 2])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nowhere", "there is no such folder or picture"),
        ("notes.txt", "is neither a folder nor a picture"),
        ("empty", "holds no usable images"),
        ("bad", r"holds no usable images\. Skipped 1 of 1 files: x\.png"),
        ("bad/x.png", "holds no usable images"),
    ],
)
def test_nothing_to_predict_is_refused(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "notes.txt").write_text("")
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "x.png").write_bytes(b"")
    with pytest.raises(DataError, match=words):
        read_named(tmp_path / name, 16, 1)


def test_three_digits_are_named_by_three_labels(classify_tiny, tmp_path: Path) -> None:
    pixels = torch.from_numpy(
        np.random.default_rng(1).integers(0, 256, (60, 16, 16, 3), dtype=np.uint8)
    )
    names = np.array([f"{n % 2}{n % 3}{(n // 5) % 2}" for n in range(60)])
    np.savez(tmp_path / "triples.npz", images=pixels.numpy(), labels=names)
    run = classify_tiny(
        tmp_path / "run", "data.label_parts=3", source=tmp_path / "triples.npz", images=64
    )
    trained = run.load()
    assert trained.scheme.parts == 3
    found = trained.predict(pixels.permute(0, 3, 1, 2))
    assert found.probabilities.shape == (60, 3, 3)
    assert all(len(name) == 3 and set(name) <= set("012") for name in found.names)
    torch.testing.assert_close(found.confidences, found.probabilities.max(2).values.prod(1))
    with pytest.raises(ConfigError, match="one label, this classifier gives 3"):
        trained.extractor()
    assert len(run.score["confusion"]) == len(run.score["label_accuracies"]) == 3
    assert run.score["scores"]["accuracy"]["value"] <= min(run.score["label_accuracies"])


def test_rgb_folders_of_classes(classify_tiny, tmp_path: Path) -> None:
    for name, colour in (("red", (200, 0, 0)), ("blue", (0, 0, 200))):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(16):
            picture = Image.new("RGB", (16, 16), tuple(c + number for c in colour))
            picture.save(tmp_path / "photos" / name / f"{number}.png")
    settings = ("optimizer.learning_rate=0.01", "average_steps=10")
    run = classify_tiny(tmp_path / "run", *settings, source=tmp_path / "photos", images=960)
    assert run.score["class_names"] == ["blue", "red"]
    assert run.scores["accuracy"] == 1.0
    pixels = data.load(tmp_path / "photos").images[[0, 31]]
    assert run.load().predict(pixels).names == ["blue", "red"]


# ---- as an extractor


def test_metrics_in_the_features_of_a_classifier(
    trained: ImageClassifier,
    tiny_file: Path,
    feature_cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    scratch_registry: Callable[..., None],
) -> None:
    monkeypatch.setenv("ORTHOGAN_CACHE", str(feature_cache))
    scratch_registry(EXTRACTORS)
    EXTRACTORS.register("mine")(trained.extractor)
    real = data.load(tiny_file)
    found = evaluate_images(real.images[:100], real, metrics=["fd"], extractor="mine")
    ((name, score),) = found.scores.items()
    assert name == f"fd[classifier@{trained.sha256[:6]}]"
    noise = evaluate_images(shown(100), real, metrics=["fd"], extractor="mine")
    assert noise.scores[name].value > score.value


def test_an_extractor_makes_images_fit(trained: ImageClassifier) -> None:
    extractor = trained.extractor()
    assert isinstance(extractor, Extractor)
    assert (extractor.num_features, extractor.num_classes) == (8, 4)
    features, chances = extractor.describe(shown())
    assert torch.equal(features, trained.features(shown()))
    assert torch.equal(chances, trained.predict(shown()).probabilities[:, 0])
    coloured = extractor.describe(shown().expand(-1, 3, -1, -1))
    torch.testing.assert_close(coloured[0], features, atol=1e-4, rtol=1e-4)
    large = shown().repeat_interleave(2, 2).repeat_interleave(2, 3)
    assert extractor.describe(large)[0].shape == (5, 8)


def test_an_rgb_extractor_takes_every_plane(classify_tiny, tiny_file: Path, tmp_path: Path) -> None:
    run = classify_tiny(tmp_path / "run", "data.colour=rgb", images=32)
    extractor = run.load().extractor()
    grey = extractor.describe(shown())
    torch.testing.assert_close(extractor.describe(shown().expand(-1, 3, -1, -1)), grey)
    large = torch.zeros(3, 3, 32, 32, dtype=torch.uint8)
    for plane in range(3):
        large[plane, plane] = 255
    small = torch.zeros(3, 3, 16, 16, dtype=torch.uint8)
    for plane in range(3):
        small[plane, plane] = 255
    torch.testing.assert_close(extractor.describe(large), extractor.describe(small))


# ---- refusals


def test_generators_and_classifiers_are_not_mixed_up(
    classify_tiny, train_tiny, tmp_path: Path
) -> None:
    classify_tiny(tmp_path / "classifier", images=16)
    train_tiny(tmp_path / "generator", images=16)
    with pytest.raises(BundleError, match="holds a classifier, not a generator; use it with"):
        generator.load(tmp_path / "classifier")
    with pytest.raises(BundleError, match="holds a generator, not a classifier; use it with"):
        classifier_model.load_classifier(tmp_path / "generator")


def test_damaged_classifiers_are_refused(classify_tiny, tmp_path: Path) -> None:
    classify_tiny(tmp_path / "run", images=16)

    def changed(change: Callable[[dict[str, Any]], None]) -> Path:
        folder = tmp_path / "changed"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(tmp_path / "run" / "bundle", folder)
        config = json.loads((folder / "config.json").read_text())
        change(config)
        (folder / "config.json").write_text(json.dumps(config))
        return folder

    assert classifier_model.load_classifier(changed(lambda _: None)).network.config.classes == 4
    with pytest.raises(BundleError, match="weights do not fit the network"):
        classifier_model.load_classifier(changed(lambda c: c["classifier"].update(width=16)))
    with pytest.raises(BundleError, match="no network can be built: Unknown classifier 'quantum'"):
        classifier_model.load_classifier(changed(lambda c: c["classifier"].update(kind="quantum")))
    with pytest.raises(BundleError, match="newer orthogan"):
        classifier_model.load_classifier(changed(lambda c: c.update(format=99)))
    with pytest.raises(BundleError, match="'classifier' is missing or damaged"):
        classifier_model.load_classifier(changed(lambda c: c.update(classifier=3)))
    folder = changed(lambda _: None)
    (folder / "classifier.safetensors").unlink()
    with pytest.raises(BundleError, match="missing"):
        classifier_model.load_classifier(folder)


def test_a_run_that_is_not_done_has_no_classifier(
    classify_tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_args: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ClassifierTrainer, "step", broken)
    with pytest.raises(KeyboardInterrupt):
        classify_tiny(tmp_path / "run")
    with pytest.raises(BundleError, match="has no trained model yet"):
        classifier_model.load_classifier(tmp_path / "run")

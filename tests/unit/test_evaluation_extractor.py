import hashlib
import importlib.util
import json
import sys
from importlib import resources
from pathlib import Path

import pytest
import safetensors.torch
import torch

from orthogan import data
from orthogan.errors import BundleError, ShapeError, UnknownNameError
from orthogan.evaluation.description import describe_pixels
from orthogan.evaluation.extractors import EXTRACTORS
from orthogan.evaluation.extractors.digits import DigitsExtractor, DigitsNet
from orthogan.evaluation.inputs import to_grey

ASSET = Path(str(resources.files("orthogan") / "assets" / "digits-extractor"))
SCRIPT = Path(__file__).parents[2] / "scripts" / "train_extractor.py"


@pytest.fixture(scope="module")
def digits():
    return data.load("mnist", split="test")


@pytest.fixture(scope="module")
def extractor():
    return DigitsExtractor()


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("train_extractor", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def asset(folder, weights, sha256=None):
    (folder / "weights.safetensors").write_bytes(weights)
    sha256 = sha256 or hashlib.sha256(weights).hexdigest()
    (folder / "card.json").write_text(json.dumps({"sha256": sha256}))
    return folder


def test_the_shipped_weights_are_small_and_named_by_their_hash(extractor):
    stored = (ASSET / "weights.safetensors").read_bytes()
    card = json.loads((ASSET / "card.json").read_text())
    assert len(stored) < 1_000_000
    assert extractor.name == f"digits-cls@{hashlib.sha256(stored).hexdigest()[:6]}" == card["name"]
    assert card["num_parameters"] == sum(p.numel() for p in DigitsNet().parameters())
    assert card["data"] == data.load("mnist").fingerprint()
    assert card["name"] in (ASSET / "README.md").read_text()


def test_it_classifies_at_the_accuracy_on_its_card(extractor, digits):
    guesses = extractor.probabilities(digits.images).argmax(1)
    card = json.loads((ASSET / "card.json").read_text())
    accuracy = (guesses == digits.labels).double().mean().item()
    assert accuracy == pytest.approx(card["test_accuracy"], abs=1.5e-4)
    assert accuracy >= 0.995


def test_features_of_an_image_do_not_depend_on_its_batch(extractor, digits):
    together = extractor.features(digits.images[:520])
    alone = extractor.features(digits.images[515:516])
    torch.testing.assert_close(alone[0], together[515], rtol=1e-5, atol=1e-5)
    assert together.shape == (520, extractor.num_features)
    assert together.dtype == torch.float32
    assert not together.is_inference()


def test_probabilities_sum_to_one(extractor, digits):
    sums = extractor.probabilities(digits.images[:9]).sum(1)
    torch.testing.assert_close(sums, torch.ones(9))


def test_no_images_give_no_features(extractor):
    assert extractor.features(torch.empty(0, 1, 28, 28, dtype=torch.uint8)).shape == (0, 64)


def test_colour_and_size_are_made_to_fit(extractor, digits):
    large = digits.images[:50].repeat_interleave(2, 2).repeat_interleave(2, 3).repeat(1, 3, 1, 1)
    guesses = extractor.probabilities(large).argmax(1)
    assert (guesses == digits.labels[:50]).double().mean() > 0.9


def test_grey_weighs_red_green_and_blue_by_their_brightness():
    colours = torch.zeros(3, 3, 28, 28, dtype=torch.uint8)
    for plane in range(3):
        colours[plane, plane] = 255
    grey = to_grey(colours, 28)
    torch.testing.assert_close(grey[:, 0, 5, 5], torch.tensor([0.299, 0.587, 0.114]))


def test_two_channels_are_refused():
    with pytest.raises(ShapeError, match=r"1 or 3 channels \(axis 1\), got 2"):
        to_grey(torch.zeros(1, 2, 28, 28, dtype=torch.uint8), 28)


def test_stacked_planes_are_read_one_by_one_in_order(extractor, digits):
    stacked = digits.images[:30, 0].reshape(10, 3, 28, 28)
    found = describe_pixels(stacked, extractor, by_channel=True)
    torch.testing.assert_close(
        found.features[2, 64:128], extractor.features(digits.images[7:8])[0], rtol=1e-5, atol=1e-5
    )
    digits_read = torch.stack([found.classes // place % 10 for place in (100, 10, 1)], 1)
    assert torch.equal(digits_read, digits.labels[:30].reshape(10, 3))


def test_the_registry_knows_it_and_suggests_it(extractor):
    assert EXTRACTORS["digits-cls"]().name == extractor.name
    with pytest.raises(UnknownNameError, match="Did you mean 'digits-cls'"):
        EXTRACTORS["digit-cls"]


def test_damaged_weights_are_refused(tmp_path):
    stored = bytearray((ASSET / "weights.safetensors").read_bytes())
    good = hashlib.sha256(stored).hexdigest()
    stored[-1] ^= 1
    with pytest.raises(BundleError, match=r"card\.json says"):
        DigitsExtractor(asset(tmp_path, bytes(stored), good))


def test_a_missing_asset_is_refused(tmp_path):
    with pytest.raises(BundleError, match="cannot be read"):
        DigitsExtractor(tmp_path)


def test_weights_that_are_not_safetensors_are_refused(tmp_path):
    with pytest.raises(BundleError, match="malformed"):
        DigitsExtractor(asset(tmp_path, b"nonsense"))


def test_weights_of_another_net_are_refused(tmp_path):
    other = safetensors.torch.save({"weight": torch.zeros(2)})
    with pytest.raises(BundleError, match="not weights of the digits extractor"):
        DigitsExtractor(asset(tmp_path, other))


def test_folding_batch_normalisation_changes_nothing(script):
    torch.manual_seed(0)
    net = script.TrainingNet()
    net.train()(torch.rand(64, 1, 28, 28) * 3)  # gives the running statistics some values
    for part in net.modules():
        if isinstance(part, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
            torch.nn.init.normal_(part.weight)
            torch.nn.init.normal_(part.bias)
    images = torch.rand(8, 1, 28, 28)
    with torch.no_grad():
        features, logits = script.fold(net.eval())(images)
        torch.testing.assert_close(features, net.features(images), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(logits, net(images), rtol=1e-4, atol=1e-5)


def test_the_training_script_writes_an_asset_that_loads(script, tmp_path, monkeypatch, capsys):
    arguments = ["scripts/train_extractor.py", "--out", str(tmp_path / "asset"), "--epochs", "1"]
    threads = str(torch.get_num_threads())
    monkeypatch.setattr(sys, "argv", [*arguments, "--limit", "300", "--threads", threads])
    with torch.random.fork_rng():
        script.main()
    card = json.loads(capsys.readouterr().out)
    assert DigitsExtractor(tmp_path / "asset").name.startswith("digits-cls@")
    assert card["num_training_images"] == 300
    assert "--limit 300" in card["command"]


@pytest.mark.parametrize("count", [1, 2, 3, 5, 100])
def test_a_picture_has_the_same_features_whatever_stands_around_it(extractor, digits, count):
    alone = extractor.describe(digits.images[:count])
    among = extractor.describe(digits.images[:600])
    last = extractor.describe(digits.images[:512].roll(count, 0))
    for one, other, moved in zip(alone, among, last, strict=True):
        assert torch.equal(one, other[:count])
        assert torch.equal(one, moved[count : 2 * count])
    repeated = extractor.features(digits.images[:1].expand(513, -1, -1, -1))
    assert len(repeated.unique(dim=0)) == 1

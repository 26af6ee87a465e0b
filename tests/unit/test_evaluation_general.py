"""The general extractor: its weights, its padding, what it describes, what it tells apart."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from importlib import resources
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional

from orthogan.data import ImageSet
from orthogan.errors import BundleError, ConfigError, DataError, ShapeError
from orthogan.evaluation import evaluate_images, extractors
from orthogan.evaluation.components import principal_components
from orthogan.evaluation.efficientnet import EfficientNetLite0, SameConvolution
from orthogan.evaluation.extractors import EXTRACTORS, load_extractor
from orthogan.evaluation.extractors.general import GeneralExtractor
from orthogan.evaluation.live import LiveScore

pytestmark = pytest.mark.usefixtures("one_thread")
ASSET = Path(str(resources.files("orthogan") / "assets" / "general-extractor"))
SCRIPT = Path(__file__).parents[2] / "scripts" / "convert_extractor.py"


@pytest.fixture(scope="module")
def extractor():
    return GeneralExtractor()


def pictures(num, seed=0, side=32):
    """Coloured shapes on coloured grounds: bars and discs, warm ones more often than cold."""
    random = torch.Generator().manual_seed(seed)
    rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    made = torch.empty(num, 3, side, side, dtype=torch.uint8)
    for each in made:
        ground, colour = torch.rand(2, 3, generator=random)
        warm = torch.tensor([1.0, 0.6, 0.3])
        x, y = torch.randint(8, side - 8, (2,), generator=random).tolist()
        size = int(torch.randint(3, 8, (1,), generator=random))
        disc = (rows - x) ** 2 + (columns - y) ** 2 < size**2
        bar = ((rows - x).abs() < size) & ((columns - y).abs() < 3)
        shape = disc if torch.rand(1, generator=random) < 0.5 else bar
        image = torch.where(shape, (colour * warm)[:, None, None], (0.5 * ground)[:, None, None])
        each.copy_((255 * image).round())
    return made


def test_the_shipped_weights_are_named_by_their_hash(extractor):
    stored = (ASSET / "weights.safetensors").read_bytes()
    card = json.loads((ASSET / "card.json").read_text())
    assert len(stored) < 6_000_000
    assert extractor.name == f"general@{hashlib.sha256(stored).hexdigest()[:6]}" == card["name"]
    assert card["num_parameters"] == sum(p.numel() for p in EfficientNetLite0().parameters())
    readme = (ASSET / "README.md").read_text()
    assert card["name"] in readme
    assert card["sha256"] in readme
    assert type(EXTRACTORS["general"]()) is GeneralExtractor


def test_other_weights_are_refused(tmp_path):
    (tmp_path / "card.json").write_text((ASSET / "card.json").read_text())
    (tmp_path / "weights.safetensors").write_bytes(b"other")
    with pytest.raises(BundleError, match="sha256"):
        GeneralExtractor(tmp_path)


def test_an_extractor_that_states_too_little_is_refused(extractor, monkeypatch):
    class Silent:
        name, size, describe = "silent", 28, None

    assert load_extractor(extractor) is extractor
    monkeypatch.setattr(extractors, "EXTRACTORS", {"silent": Silent})
    with pytest.raises(ConfigError, match=r"Silent.* has no sha256, channels, num_features"):
        load_extractor("silent")


@pytest.mark.parametrize("side", [5, 6, 7, 8])
@pytest.mark.parametrize("kernel", [3, 5])
def test_padding_is_tensorflows(side, kernel):
    # Output o reads inputs 2 o - left .. 2 o - left + kernel - 1 with left = floor(all / 2), where
    # all = max(0, (ceil(side / 2) - 1) * 2 + kernel - side): TensorFlow's definition of SAME.
    layer = SameConvolution(1, 1, kernel, 2, bias=False)
    image = torch.randn(1, 1, side, side, generator=torch.Generator().manual_seed(side))
    out = -(-side // 2)
    left = max(0, (out - 1) * 2 + kernel - side) // 2
    expected = torch.zeros(out, out)
    for row in range(out):
        for column in range(out):
            for i in range(kernel):
                for j in range(kernel):
                    y, x = 2 * row - left + i, 2 * column - left + j
                    if 0 <= y < side and 0 <= x < side:
                        expected[row, column] += image[0, 0, y, x] * layer.weight[0, 0, i, j]
    torch.testing.assert_close(layer(image)[0, 0], expected, rtol=1e-4, atol=1e-5)


def test_folding_keeps_a_normalised_convolution():
    spec = importlib.util.spec_from_file_location("convert_extractor", SCRIPT)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    random = torch.Generator().manual_seed(0)
    convolution, normalisation = nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4, eps=1e-3)
    for tensor in (*normalisation.parameters(), *normalisation.buffers()):
        if tensor.dtype.is_floating_point:
            tensor.data = torch.rand(tensor.shape, generator=random) + 0.1
    state = {f"c.{name}": tensor for name, tensor in convolution.state_dict().items()}
    state |= {f"n.{name}": tensor for name, tensor in normalisation.state_dict().items()}
    folded = script._folded(state, "c", "n", "f")
    image = torch.randn(2, 3, 8, 8, generator=random)
    with torch.inference_mode():
        expected = normalisation.eval()(convolution(image))
    found = functional.conv2d(image, folded["f.weight"], folded["f.bias"])
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_an_image_is_described_alike_wherever_it_stands(extractor):
    images = pictures(70)
    features, none = extractor.describe(images)
    assert features.shape == (70, extractor.num_features)
    assert none.shape == (70, 0)
    alone = extractor.describe(images[69:])[0]
    assert torch.equal(features[69:], alone)
    grey = images[:3, :1]
    assert torch.equal(
        extractor.describe(grey)[0], extractor.describe(grey.expand(-1, 3, -1, -1))[0]
    )
    with pytest.raises(ShapeError, match="1 or 3 channels"):
        extractor.describe(images[:, :2])


def blurred(images):
    return functional.avg_pool2d(images.float(), 3, 1, 1, count_include_pad=False).to(torch.uint8)


def noisy(images):
    noise = 24 * torch.randn(images.shape, generator=torch.Generator().manual_seed(1))
    return (images.float() + noise).clamp(0, 255).to(torch.uint8)


def test_it_tells_apart_what_is_not_of_the_data(extractor):
    real, unseen = ImageSet(pictures(256), name="shapes"), pictures(256, seed=1)
    held_out = ImageSet(pictures(256, seed=2), name="shapes")

    def scores(fake):
        found = evaluate_images(
            fake, real, held_out=held_out, metrics=["fd", "precision"], extractor=extractor
        ).scores
        return found[f"fd[{extractor.name}]"], found["precision"].value

    alike, precise = scores(unseen)
    assert alike.value < 1.5 * alike.floor
    assert precise > 0.8
    for change in (
        lambda x: x.roll(1, 1),
        lambda x: x[:, :1].expand(-1, 3, -1, -1),
        blurred,
        noisy,
    ):
        distance, _ = scores(change(unseen).contiguous())
        assert distance.value > 2 * distance.floor


def test_a_live_score_compares_along_the_same_components(extractor):
    live = LiveScore(ImageSet(pictures(300), name="shapes"), 128, extractor)
    assert live.distance(pictures(128, seed=1)) < live.distance(noisy(pictures(128, seed=1)))
    assert live.read(pictures(128, seed=1)).class_shares == ()


def test_components_are_uncorrelated_and_in_order_of_variance():
    random = torch.Generator().manual_seed(0)
    features = torch.randn(400, 6, generator=random) @ torch.randn(6, 12, generator=random)
    features[:, 3] = 7.0  # says nothing
    found = principal_components(features, 4)
    projected = found.project(features).double()
    covariance = projected.T.cov()
    assert projected.shape == (400, 4)
    assert torch.allclose(covariance, covariance.diag().diag(), atol=1e-4)
    assert (covariance.diag().diff() <= 0).all()
    correlation = features[:, torch.arange(12) != 3].double().T.corrcoef()
    largest = torch.linalg.eigvalsh(correlation).flip(0)[:4]
    torch.testing.assert_close(covariance.diag(), largest, rtol=1e-4, atol=1e-5)
    standard = found.directions * features.double().std(0)[:, None]
    assert (standard.gather(0, standard.abs().argmax(0, keepdim=True)) > 0).all()


def test_components_of_few_images_are_few():
    features = torch.randn(20, 30, generator=torch.Generator().manual_seed(0))
    assert principal_components(features, 64).directions.shape == (30, 10)
    with pytest.raises(DataError, match="NaN"):
        principal_components(torch.full((4, 2), torch.nan), 2)

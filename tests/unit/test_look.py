"""`look`: which networks, over which images, beside what; and what it refuses."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import orthogan as og
from orthogan.analysis.attention_sheet import map_rows, sheet_of
from orthogan.analysis.attention_statistics import Patches
from orthogan.analysis.attention_weights import LayerRecord
from orthogan.analysis.look import look
from orthogan.analysis.look_result import LayerLook, NetworkLook
from orthogan.analysis.trained import load_trained
from orthogan.errors import BundleError, ConfigError, DataError, ShapeError, UnknownNameError
from orthogan.images.labelled_sheet import CELL_PX
from orthogan.images.overlay import WARM
from orthogan.report.attention_page import attention_page, write_attention_page
from orthogan.rng import normal, stream

OLD = Path(__file__).parents[1] / "fixtures" / "version-0.1"


@pytest.fixture
def run(train_tiny: Callable[..., Any], tmp_path: Path) -> Path:
    train_tiny(tmp_path / "run", images=64)
    return tmp_path / "run"


def picture(path: Path, shape: tuple[int, ...] = (40, 60, 3)) -> Path:
    pixels = stream(0, path.name).integers(0, 256, shape).astype(np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def test_a_run_has_two_networks(run: Path) -> None:
    found = look(run, seeds=range(9), shown=2)
    assert [network.role for network in found.networks] == ["generator", "discriminator"]
    maker, judge = found.networks
    assert (maker.seen, judge.seen) == (
        "the images of seeds 0-8", f"9 training images of {found.networks[1].seen.split(' of ')[1]}"
    )  # fmt: skip
    assert torch.equal(maker.images, og.sample(run, seeds=range(2)))
    assert maker.captions == ("seed 0", "seed 1")
    tree = json.loads(json.dumps(found.to_dict()))
    head = tree["networks"][1]["layers"][0]["heads"][0]
    assert {"entropy_fraction", "position_fraction", "profile", "untrained"} <= head.keys()
    assert found.summary()[0] == "generator (attention), over the images of seeds 0-8:"
    assert len(found.summary()) == 2 + len(maker.layers[0].heads) + len(judge.layers[0].heads)


def test_one_network_is_asked_for(run: Path) -> None:
    found = look(run, network="discriminator", seeds=range(4), query=(1, 0))
    assert [network.role for network in found.networks] == ["discriminator"]
    assert found.networks[0].query == (1, 0)
    with pytest.raises(UnknownNameError, match="network of a GAN 'generater'"):
        look(run, network="generater")


def test_the_maps_are_those_of_the_network(run: Path) -> None:
    pixels = torch.from_numpy(stream(0, "own").integers(0, 256, (3, 1, 16, 16))).to(torch.uint8)
    found = look(run, network="discriminator", images=pixels)
    network = load_trained(run, "discriminator").network
    with torch.no_grad():
        tokens = network.positions(network.stem(network.emphasised(pixels.float() / 127.5 - 1)))
        weights = network.blocks[0].attention.weights(tokens)
    layer = found.networks[0].layers[0]
    torch.testing.assert_close(layer.shown, weights)
    torch.testing.assert_close(layer.mean.float(), weights.mean(0))


def test_the_untrained_network_is_that_of_the_run(run: Path) -> None:
    start = run / "checkpoints" / "000000000"
    if not start.exists():
        pytest.skip("this run keeps no checkpoint of its start")
    from orthogan.analysis.untrained import untrained
    from orthogan.models.bundle.tensors import unpack
    from orthogan.training.state_tensors import part_of

    tensors = unpack(
        start / "tensors.safetensors", json.loads((start / "state.json").read_text())["sha256"]
    )
    for role in ("generator", "discriminator"):
        made = untrained(load_trained(run, role), lambda: torch.zeros(0))
        for name, weight in part_of(role, tensors).items():
            assert made.state_dict()[name].equal(weight), name


def test_own_pictures_are_made_to_fit(run: Path, tmp_path: Path) -> None:
    files = [picture(tmp_path / "a.png"), picture(tmp_path / "<b onload=x>.png", (16, 16))]
    found = look(run, network="discriminator", images=files, seeds=range(4))
    (judge,) = found.networks
    assert judge.num_images == 2
    assert judge.images.shape == (2, 1, 16, 16)
    assert judge.captions == ("a.png", "<b onload=x>.png")
    assert any("resized" in note or "cropped" in note for note in judge.notes)
    both = look(run, images=files[:1], seeds=range(4))
    assert [network.num_images for network in both.networks] == [4, 1]
    page = attention_page([found])
    assert "<b onload" not in page
    assert "&lt;b onload=x&gt;.png" in page


def test_a_discriminator_reads_what_its_generator_makes(run: Path) -> None:
    found = look(run, network="discriminator", on="generated", seeds=[3, 9])
    assert found.networks[0].seen == "the images of 2 seeds of its generator"
    assert torch.equal(found.networks[0].images, og.sample(run, seeds=[3, 9]))


def test_a_bundle_holds_the_generator_alone(run: Path) -> None:
    found = look("mnist-demo", seeds=range(3))
    assert [network.role for network in found.networks] == ["generator"]
    assert "a bundle holds the generator alone, so that is all that is shown" in found.notes[0]
    copy = shutil.copytree(run / "bundle", run.parent / "copy")
    assert "a bundle holds the generator alone" in look(copy, seeds=range(3)).notes[0]
    with pytest.raises(BundleError, match="a bundle holds a generator alone; the discriminator"):
        look("mnist-demo", network="discriminator")


def test_a_run_without_checkpoints_shows_its_generator(run: Path) -> None:
    shutil.rmtree(run / "checkpoints")
    found = look(run, seeds=range(3))
    assert [network.role for network in found.networks] == ["generator"]
    assert "The discriminator is not shown" in found.notes[0]
    assert "no trained model yet" in found.notes[0]
    shutil.rmtree(run / "bundle")
    with pytest.raises(BundleError, match="no trained model yet"):
        look(run)


def test_an_unfinished_run_is_looked_into() -> None:
    found = look(OLD / "gan-stopped", seeds=range(3), on="generated")
    assert len(found.networks) == 2
    assert found.notes == (found.notes[0],)
    assert "is used" in found.notes[0]


def test_training_images_that_are_gone(run: Path, tmp_path: Path) -> None:
    record = json.loads((run / "run.json").read_text())
    record["config"]["data"]["source"] = str(tmp_path / "gone.npz")
    (run / "run.json").write_text(json.dumps(record))
    with pytest.raises(DataError, match=r"training images are not there .*gone.* \(--generated"):
        look(run)
    assert len(look(run, on="generated", seeds=range(2)).networks) == 2


def test_networks_without_attention(train_tiny: Callable[..., Any], tmp_path: Path) -> None:
    train_tiny(tmp_path / "conv", model="conv-gan", images=32)
    with pytest.raises(DataError) as caught:
        look(tmp_path / "conv", seeds=range(2))
    assert "The conv generator has no attention" in str(caught.value)
    assert "The conv discriminator has no attention" in str(caught.value)
    assert str(caught.value).endswith("There is nothing to look at; take a run with attention.")
    train_tiny(tmp_path / "half", "discriminator.blocks=0", images=32)
    found = look(tmp_path / "half", seeds=range(2))
    assert [network.role for network in found.networks] == ["generator"]
    assert "The attention discriminator has no attention: it is not shown." in found.notes


def test_a_classifier_is_asked_through_its_class_token(
    classify_tiny: Callable[..., Any], tmp_path: Path
) -> None:
    classify_tiny(tmp_path / "run", images=64)
    found = look(tmp_path / "run", seeds=range(5), shown=2)
    (network,) = found.networks
    assert (network.role, network.query) == ("classifier", "class")
    assert network.layers[0].patches.num_class == 1
    trained = og.load(tmp_path / "run", device="cpu")
    maps = trained.attention(network.images)
    for block, layer in enumerate(network.layers):
        seen = layer.shown[:, :, 0, 1:].unflatten(-1, layer.patches.grid)
        torch.testing.assert_close(seen, maps[:, block], rtol=1e-4, atol=1e-6)
    with pytest.raises(ConfigError, match="a classifier has no generator"):
        look(tmp_path / "run", on="generated")


def test_a_language_model_is_no_image_network(
    learn_tiny: Callable[..., Any], tmp_path: Path
) -> None:
    learn_tiny(tmp_path / "run")
    with pytest.raises(BundleError, match="language"):
        look(tmp_path / "run")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"query": (9, 9)}, "9,9 lies outside of the generator's 4 x 4 grid"),
        ({"query": (3, 3)}, "3,3 lies outside of the discriminator's 2 x 2 grid"),
        ({"query": "class"}, "no class token"),
        ({"on": "fake"}, "one of real, generated"),
        ({"seeds": []}, "At least one seed"),
        ({"seeds": [-1]}, "seed"),
        ({"shown": 0}, "At least 1 image is shown"),
        ({"images": ["a.png"], "on": "generated"}, "exclude one another"),
        ({"network": "generator", "images": ["a.png"]}, "reads none"),
        ({"images": []}, "At least one image is needed"),
        ({"grid": (2, 2)}, "'grid' is for modules"),
    ],
)
def test_impossible_looks_are_refused(run: Path, options: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        look(run, **({"seeds": range(3)} | options))


def test_other_things_are_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="mnist-demo"):
        look("mnist-dem")
    with pytest.raises(DataError, match="no such folder or picture"):
        look(run, images=[tmp_path / "none.png"])
    (tmp_path / "broken.png").write_bytes(b"x")
    with pytest.raises(DataError, match="no usable images"):
        look(run, images=[tmp_path / "broken.png"])
    with pytest.raises(ShapeError, match=r"\(1, 16, 16\), got 1 of \(3, 16, 16\)"):
        look(run, images=torch.zeros(1, 3, 16, 16, dtype=torch.uint8))


def test_pictures_have_a_cell_for_every_map(run: Path) -> None:
    found = look(run, seeds=range(5), shown=2, query=(1, 1))
    maker = found.networks[0]
    rows = map_rows(maker, 0)
    captions = [row.caption for row in rows]
    common = ["mean of 5", "every patch", "by offset"]
    assert captions == ["seed 0", "seed 1", *common, *(f"untrained: {name}" for name in common)]
    assert {len(row.cells) for row in rows} == {len(maker.layers[0].heads) + 2}
    for row in rows:
        for cell in row.cells:
            assert cell.picture.size == (CELL_PX, CELL_PX)
    strongest = float(maker.layers[0].shown[0, 0, 5].max())
    assert rows[0].cells[1].says.startswith(f"strongest weight {strongest:.3f}, on row ")
    assert rows[0].cells[0].says == "the image; the patch in row 1, column 1 asks"
    assert found.picture().size == sheet_of([found]).size
    assert sheet_of([found, found]).height == 2 * found.picture().height
    assert found._repr_png_().startswith(b"\x89PNG")


def test_the_page_stands_alone(run: Path, tmp_path: Path) -> None:
    found = look(run, seeds=range(4), shown=1)
    target = write_attention_page(
        [found], tmp_path / "new" / "maps.html", command="orthogan look x"
    )
    text = target.read_text()
    assert text.count('src="data:image/png;base64,') == len(
        [cell for n in found.networks for row in map_rows(n, 0) for cell in row.cells if cell.says]
    )
    assert "http://" not in text.replace("http://www.w3.org", "")
    assert "<script>" not in text
    assert "img-src data:" in text
    assert "What does the generator attend to?" in text
    assert "orthogan look x" in text
    both = attention_page([found, found])
    assert "How do they differ?" in both
    with pytest.raises(ConfigError, match=r"does not end in \.html"):
        write_attention_page([found], tmp_path / "maps.txt")


def test_planted_maps_are_drawn_where_they_are() -> None:
    """Each patch attends to the one on its right alone; the first head positively."""
    patches = Patches((2, 2))
    maps = torch.zeros(1, 2, 4, 4)
    maps[:, 0, 0, 1] = maps[:, 0, 2, 3] = 1.0
    maps[:, 1] = -maps[:, 0]
    record = LayerRecord("block 1", patches, num_shown=1)
    record.add(maps)
    found = NetworkLook(
        role="module", kind="Planted", seen="1 input", num_images=1, images=None,
        captions=("input 0",), mean_image=None, query=(1, 0), layers=(LayerLook.of(record),),
    )  # fmt: skip
    single, mean, every, offsets = map_rows(found, 0)
    assert [cell.note for cell in single.cells] == ["", "1", "-1", "0"]
    assert single.cells[1].says == "strongest weight 1.000, on row 1, column 1"
    for row in (single, mean):
        warm, cold = (np.asarray(cell.picture).astype(int) for cell in row.cells[1:3])
        half = CELL_PX // 2
        assert (warm[half:, half:, 0] > warm[half:, half:, 2]).all()
        assert (cold[half:, half:, 0] < cold[half:, half:, 2]).all()
        assert np.ptp(warm[:half], axis=2).max() == 0  # grey: nothing is attended to there
    # Two by two maps of two by two patches and a line between: 5 pixels, 22 each.
    atlas = np.asarray(every.cells[1].picture)[1:-1, 1:-1][::22, ::22]
    lit = np.argwhere(atlas[:, :, 0] == 255)
    assert lit.tolist() == [[0, 1], [4, 1]]  # the first patch, and the first of the second row
    # Offsets from (-1, -1) to (1, 1): the one to the right.
    kernel = np.asarray(offsets.cells[1].picture)[1:-1, 1:-1]
    side = kernel.shape[0] // 3
    assert kernel[side + side // 2, 2 * side + side // 2].tolist() == list(WARM)
    assert kernel[side // 2, side // 2].tolist() == [0, 0, 0]


class Vision(nn.Module):
    """Patches of an image with a class token, under torch's own attention."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, 8, 4, stride=4)
        self.token = nn.Parameter(torch.zeros(1, 1, 8))
        self.layers = nn.ModuleList(nn.MultiheadAttention(8, 2, batch_first=True) for _ in range(2))

    def forward(self, images: Tensor) -> Tensor:
        tokens = self.embed(images).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.token.expand(len(tokens), -1, -1), tokens], 1)
        for layer in self.layers:
            tokens = tokens + layer(tokens, tokens, tokens, need_weights=False)[0]
        return tokens


def test_any_module_is_looked_into() -> None:
    module = Vision().eval()
    images = normal((3, 3, 16, 16), stream(0, "images"))
    found = look(module, inputs=images, query="class")
    (network,) = found.networks
    assert (network.role, network.kind, len(network.layers)) == ("module", "Vision", 2)
    assert network.layers[0].patches.num_class == 1
    assert network.images.shape == (3, 3, 16, 16)
    with torch.no_grad():
        tokens = module.embed(images).flatten(2).transpose(1, 2)
        tokens = torch.cat([module.token.expand(3, -1, -1), tokens], 1)
        _, weights = module.layers[0](tokens, tokens, tokens, average_attn_weights=False)
    torch.testing.assert_close(network.layers[0].shown, weights)
    assert "masks, biases and rotations" in network.notes[0]
    assert look(module, inputs=images, query=(3, 3)).networks[0].query == (3, 3)
    assert found.picture().width > 0
    assert "What does the module attend to?" in attention_page([found])


def test_a_module_of_ours_tells_its_own_weights() -> None:
    layer = og.Attention(8, heads=2, score="none", keys="values")
    tokens = normal((4, 12, 8), stream(0, "tokens"))
    found = look(layer, inputs=tokens)
    (network,) = found.networks
    torch.testing.assert_close(network.layers[0].shown, layer.weights(tokens).detach())
    assert network.layers[0].patches.grid == (1, 12)  # a text: no square is looked for
    assert network.images is None
    assert network.layers[0].heads[0].negative_fraction > 0
    assert look(layer, inputs=tokens, grid=(3, 4)).networks[0].layers[0].patches.grid == (3, 4)
    with pytest.raises(ShapeError, match="4 x 4 patches"):
        look(layer, inputs=tokens, grid=(4, 4))
    with pytest.raises(ConfigError, match="give what its forward pass takes with inputs="):
        look(layer)
    with pytest.raises(ConfigError, match="no attention layer is recognised"):
        look(nn.Linear(8, 8), inputs=tokens)
    with pytest.raises(ShapeError, match="4 inputs are drawn on as many images, got 1"):
        look(layer, inputs=tokens, images=torch.zeros(1, 1, 8, 8, dtype=torch.uint8))


def test_cross_attention_is_left_out() -> None:
    layer = nn.MultiheadAttention(8, 2, batch_first=True)
    tokens, others = torch.zeros(1, 4, 8), torch.zeros(1, 9, 8)
    with pytest.raises(ConfigError, match="from some tokens to others"):
        look(layer, inputs=(tokens, others, others))


def test_a_restart_has_another_beginning(run: Path) -> None:
    before = look(run, seeds=range(3)).networks
    for file in (run / "checkpoints").glob("0*/state.json"):
        record = json.loads(file.read_text())
        record["state"]["attempt"] = 1
        digest = hashlib.sha256(json.dumps(record["state"]).encode()).hexdigest()
        file.write_text(json.dumps(record | {"state_sha256": digest}))
    assert load_trained(run, "discriminator").attempt == 1
    for one, other in zip(before, look(run, seeds=range(3)).networks, strict=True):
        assert torch.equal(one.layers[0].mean, other.layers[0].mean)
        assert not torch.allclose(one.untrained[0].mean, other.untrained[0].mean)

"""A generator as a web page: its weights, its card, its policy, and refusals in a sentence."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from orthogan import rng
from orthogan.cli import main
from orthogan.errors import BundleError, ConfigError, MissingExtraError
from orthogan.export import html as export
from orthogan.export.foreign import writing
from orthogan.export.onnx_file import IMAGES, LABELS, LATENTS, METADATA, UNSEALED, seal
from orthogan.export.web.capture import captured
from orthogan.export.web.lowering import lowered
from orthogan.export.web.page import policy, script
from orthogan.export.web.weights import FEWEST, stored
from orthogan.models import bundle
from orthogan.models.generator import load
from orthogan.networks import GENERATORS, Generator
from orthogan.networks.directions import principal_directions
from orthogan.terminal import printable

CLASSES = ["cats", "</script><script>alert(1)</script>", "\u202eevil", "<b>'\"&"]
CARD = {
    "title": "<img src=x onerror=alert(1)>",
    "summary": "</title><script>alert(2)</script>",
    "verdict": "Usable: <i>92</i>%",
    "command": "orthogan train --run '</pre><script>alert(3)</script>'",
    "scores": {"<u>fd</u>": {"value": 0.5, "low": 0.4, "high": 0.6, "floor": 0.1, "n": 10000}},
    "images seen": 1188800,
}


def saved(folder: Path, card: Mapping[str, Any], **settings: Any) -> Path:
    config = GENERATORS["attention"](size=16, hidden=8, width=8, channels=8, **settings)
    with rng.initialization(0, "page"):
        network = config.build()
    return bundle.save_bundle(
        folder,
        network_config=config.to_dict(),
        tensors=network.state_dict(),
        data={"source": "none", "size": 16, "colours": config.colours, "class_names": CLASSES},
        card=dict(card),
    )


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that was never trained, whose names are hostile."""
    return saved(tmp_path_factory.mktemp("page") / "bundle", CARD, classes=len(CLASSES))


@pytest.fixture(scope="module")
def made(model: Path) -> export.HtmlExport:
    return export.export_html(model, model.parent / "deep" / "small.html")


def told(page: str) -> dict[str, Any]:
    """What the page tells its scripts."""
    (text,) = re.findall(r'<script id="model" type="application/json">(.*?)</script>', page)
    return json.loads(text)


def test_it_is_checked_and_says_so(made: export.HtmlExport) -> None:
    assert made.path.stat().st_size == made.size
    assert made.num_compared == export.NUM_COMPARED + 64
    assert 0 < made.largest_difference <= export.TOLERANCE


def test_nothing_is_loaded_and_no_name_is_markup(made: export.HtmlExport) -> None:
    page = made.path.read_text("utf-8")
    assert "http://" not in page
    assert "https://" not in page
    assert page.count("<script") == 3  # two of data, one that runs
    assert "alert(2)</script>" not in page
    assert "<img" not in page
    assert "\u202e" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page
    assert told(page)["classNames"][1] == CLASSES[1]


def test_only_its_own_script_may_run(made: export.HtmlExport) -> None:
    page = made.path.read_text("utf-8")
    (ran,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert ran == script()
    digest = base64.b64encode(hashlib.sha256(ran.encode()).digest()).decode()
    (told,) = re.findall(r'Content-Security-Policy" content="(.*?)"', page)
    assert f"script-src &#x27;sha256-{digest}&#x27;" in told
    assert html.unescape(told) == policy(script())
    assert policy(script()).startswith("default-src 'none'")
    assert re.findall(r"'unsafe-[a-z]+'", policy(script())) == []
    assert "eval(" not in ran
    assert "Function(" not in ran
    assert re.search(r'\sstyle="|\son\w+="', page.replace(ran, "")) is None


def test_the_card_has_the_scores(made: export.HtmlExport) -> None:
    page = made.path.read_text("utf-8")
    for text in ("&lt;u&gt;fd&lt;/u&gt;", "0.400 to 0.600", "10,000", "1,188,800", "Made by"):
        assert text in page


def test_the_command_says_what_it_wrote(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["export", str(model), "--to", "html", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["out"] == f"{model.parent.name}.html"
    assert (tmp_path / facts["out"]).stat().st_size == facts["bytes"]
    assert facts["class_names"] == CLASSES


def test_another_ending_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "x.png")
    assert main(["export", "mnist-demo", "--to", "html", "--out", out]) == 2
    assert f"A page ends in .html, got '{out}'." in capsys.readouterr().err


def test_other_images_are_never_written(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "TOLERANCE", 0.0)
    with pytest.raises(BundleError, match="as a page it would make other images"):
        export.export_html(model, tmp_path / "other.html")
    assert not list(tmp_path.iterdir())


def test_weights_that_need_more_bits_get_them(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def coarse(tensors: Any, bits: int) -> Any:
        numbers = stored(tensors, bits)
        factor = 1.5 if bits == 16 else 1.0
        made = {key: factor * tensor for key, tensor in numbers.tensors.items()}
        return replace(numbers, tensors=made)

    monkeypatch.setattr(export, "stored", coarse)
    assert export.export_html(model, tmp_path / "x.html").bits == 32


def test_rows_of_whole_numbers_keep_the_weights() -> None:
    rows = 10
    wide = (
        rng.normal((rows, FEWEST // rows), rng.stream(0, "rows"))
        * torch.logspace(-3, 3, rows)[:, None]
    )
    wide[4] = 0
    tensors = {3: wide, "small": torch.tensor([[1.5, -0.25]])}
    short, whole = stored(tensors, 16), stored(tensors, 32)
    assert len(short.text) < 0.55 * len(whole.text)
    assert torch.equal(whole.tensors[3], wide)
    assert torch.equal(short.tensors["small"], tensors["small"])
    most = wide.abs().amax(1, keepdim=True)
    assert bool(((short.tensors[3] - wide).abs() <= most / 65_000).all())
    assert not torch.equal(short.tensors[3], wide)


def test_directions_are_those_of_most_change() -> None:
    class Line(Generator):
        """Three coordinates show: the second most, then the first."""

        def synthesise(self, noise: torch.Tensor) -> torch.Tensor:
            scale = torch.tensor([0.02, -0.05, 0.01, 0.0, 0.0])
            return (noise * scale)[:, None, None, :].expand(-1, 1, 2, -1)

    found = principal_directions(Line(GENERATORS["conv"](latent_size=5)), most=3)
    assert np.allclose(found.directions.numpy(), np.eye(5)[[1, 0, 2]], atol=1e-4)
    assert np.allclose(found.shares.numpy(), np.array([25, 4, 1]) / 30, atol=1e-3)


def test_directions_of_a_generator_with_classes(model: Path) -> None:
    found = principal_directions(load(model).generator)
    gram = found.directions @ found.directions.T
    assert torch.allclose(gram, torch.eye(8), atol=1e-5)
    assert float(found.shares.sum()) <= 1
    assert bool((found.shares[:-1] >= found.shares[1:]).all())


def test_a_generator_without_kernels_is_told_from_others(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from orthogan.networks.attention_gan import AttentionGenerator

    def sorted_images(self: Any, noise: torch.Tensor) -> torch.Tensor:
        return self.head(self.norm(self.dense(noise))).sort(2).values

    monkeypatch.setattr(AttentionGenerator, "synthesise", sorted_images)
    graph = captured(load(model).generator)
    with pytest.raises(ConfigError, match="no kernel for the operation 'sort'"):
        lowered(graph)


@pytest.fixture
def without_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """No generator has kernels."""

    def refuse(_: Any) -> None:
        raise ConfigError("A page has no kernel for the operation 'sort'.")

    monkeypatch.setattr(export, "captured", lambda generator: generator)
    monkeypatch.setattr(export, "lowered", refuse)


@pytest.mark.usefixtures("without_kernels")
def test_what_our_kernels_do_not_draw_onnx_runtime_draws(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    from onnx_generators import Form
    from onnx_generators import model as graph_of

    about = {"format": 1, "size": 16, "colours": 1, "classes": 4, "latent_size": 64}
    about |= {"class_names": CLASSES, "sha256": UNSEALED}
    names = (LATENTS, LABELS, IMAGES)
    file = graph_of(Form(latent_size=64, colours=1, classes=4, names=names,
                         properties={METADATA: about}))  # fmt: skip

    def stands_for(_: Any, out: Path) -> None:
        out.write_bytes(seal(file.SerializeToString()))

    monkeypatch.setattr(writing, "export_onnx", stands_for)
    made = export.export_html(model, tmp_path / "x.html")
    assert made.has_runtime
    assert made.class_names == tuple(CLASSES)
    page = made.path.read_text("utf-8")
    assert told(page)["classNames"] == list(map(printable, CLASSES))
    assert told(page)["drawsClass"] is True
    assert "&lt;u&gt;fd&lt;/u&gt;" in page  # its card
    assert "Microsoft Corporation" in page


@pytest.mark.usefixtures("without_kernels")
def test_without_onnx_it_says_what_is_missing(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: Any) -> None:
        raise MissingExtraError("onnx", "export")

    monkeypatch.setattr(export, "page_of_model", missing)
    with pytest.raises(ConfigError, match=r"operation 'sort'.*pip install 'orthogan\[export\]'"):
        export.export_html(model, tmp_path / "x.html")
    assert not list(tmp_path.iterdir())

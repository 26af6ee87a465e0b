"""A generator as an ONNX file: the same images without PyTorch, and refusals in a sentence."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import orthogan
from orthogan import rng
from orthogan.cli import main
from orthogan.errors import BundleError, ConfigError, MissingExtraError, UnknownNameError
from orthogan.export import onnx as export
from orthogan.export import onnx_file as exported
from orthogan.images.encoding import png
from orthogan.images.sheet import sheet
from orthogan.models import bundle
from orthogan.models.generator import load
from orthogan.networks import GENERATORS

CLASSES = 4


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that was never trained, told uneven classes, one of which never occurs."""
    config = GENERATORS["attention"](size=16, classes=CLASSES, hidden=8, width=8, channels=8)
    with rng.initialization(0, "export"):
        network = config.build()
    network.class_shares.copy_(torch.tensor([0.5, 0.0, 0.2, 0.3]))
    return bundle.save_bundle(
        tmp_path_factory.mktemp("export") / "bundle",
        network_config=config.to_dict(),
        tensors=network.state_dict(),
        data={"source": "none", "size": 16, "colours": 1, "class_names": ["0", "10", "a,b", "2"]},
        card={"title": "small"},
    )


@pytest.fixture(scope="module")
def file(model: Path) -> Path:
    """The same as an ONNX file."""
    return export.export_onnx(model, model.parent / "deep" / "small.onnx").generator.path


def test_it_draws_the_images_of_the_model(model: Path, file: Path) -> None:
    made = orthogan.load_exported(file).sample(range(70))
    wanted = load(model).sample(range(70)).permute(0, 2, 3, 1).numpy()
    assert made.shape == (70, 16, 16, 1)
    assert int(np.abs(made.astype(int) - wanted).max()) <= 1
    assert (made != made[:1]).any()


def test_the_exporter_keeps_to_itself(model: Path, tmp_path: Path) -> None:
    words = ["-m", "orthogan.cli", "export", str(model), "--out", str(tmp_path / "quiet.onnx")]
    done = subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, timeout=300, check=True
    )
    assert done.stderr == ""
    assert done.stdout.startswith(str(tmp_path / "quiet.onnx"))


def test_it_shows_the_classes_asked_for(model: Path, file: Path) -> None:
    drawn = orthogan.load_exported(file)
    made = drawn.sample([5, 5, 5], classes=[3, 1])
    wanted = load(model).sample([5, 5, 5], classes=[3, 1]).permute(0, 2, 3, 1).numpy()
    assert int(np.abs(made.astype(int) - wanted).max()) <= 1
    assert (made[0] == made[2]).all()
    assert (made[0] != made[1]).any()
    with pytest.raises(ConfigError, match=r"Classes lie in 0\.\.3, got \[4\]"):
        drawn.sample([0], classes=[4])


def test_the_file_knows_the_names_of_its_classes(model: Path, file: Path, tmp_path: Path) -> None:
    drawn = orthogan.load_exported(file)
    assert drawn.class_names == ("0", "10", "a,b", "2")
    by_name = drawn.sample([5, 5], classes=["2", "a,b"])
    assert (by_name == drawn.sample([5, 5], classes='2,"a,b"')).all()
    assert (by_name == drawn.sample([5, 5], classes=[2, "a,b"])).all()
    wanted = load(model).sample([5, 5], classes=["2", "a,b"]).permute(0, 2, 3, 1).numpy()
    assert int(np.abs(by_name.astype(int) - wanted).max()) <= 1
    assert (by_name[0] != by_name[1]).any()
    with pytest.raises(UnknownNameError, match=r"Unknown class 'ab'\. Did you mean 'a,b'"):
        drawn.sample([5], classes=["ab"])
    out = tmp_path / "named.npz"
    assert main(["sample", str(file), "--seeds", "5", "--classes", "2", "--out", str(out)]) == 0
    with np.load(out) as arrays:
        assert (arrays["images"][0] == by_name[0]).all()


def test_a_file_without_names_is_asked_by_index(file: Path, tmp_path: Path) -> None:
    old = tmp_path / "old.onnx"
    kept = {"format": 1, "size": 16, "colours": 1, "classes": CLASSES, "latent_size": 64}
    old.write_bytes(_with_description(file, json.dumps(kept)))
    drawn = orthogan.load_exported(old)
    assert drawn.class_names == ()
    named = orthogan.load_exported(file).sample([5], classes=["2"])
    assert (drawn.sample([5], classes=[3]) == named).all()
    with pytest.raises(ConfigError, match="have no names"):
        drawn.sample([5], classes=["a,b"])


class _Strange:
    """A session that is right but where `is_wrong` says so of a batch's labels."""

    def __init__(self, generator, is_wrong) -> None:
        self._generator, self._is_wrong = generator, is_wrong

    def run(self, _names: list[str], given: dict[str, np.ndarray]) -> tuple[np.ndarray]:
        labels = given[exported.LABELS]
        drawn = None if (labels < 0).all() else torch.from_numpy(labels)
        with torch.inference_mode():
            images = self._generator(torch.from_numpy(given[exported.LATENTS]), drawn).numpy()
        return (images + 0.5 * self._is_wrong(labels)[:, None, None, None],)


@pytest.mark.parametrize("classes", [CLASSES, 130])
@pytest.mark.parametrize("wrong", [-1, 0, 1, 3, 129])
def test_every_class_is_compared_drawn_and_asked_for(classes: int, wrong: int) -> None:
    config = GENERATORS["attention"](size=16, classes=classes, hidden=8, width=8, channels=8)
    with rng.initialization(0, "parity"):
        generator = config.build().eval()
    facts = {"size": 16, "colours": 1, "classes": classes, "latent_size": 64}
    session = _Strange(generator, lambda labels: labels == wrong)
    strange = exported.ExportedGenerator(path=Path("strange.onnx"), session=session, **facts)
    assert (export.largest_difference(generator, strange) > 0.4) == (wrong < classes)


def test_it_shows_itself_in_a_notebook(file: Path) -> None:
    shown = orthogan.load_exported(file)
    assert shown._repr_png_() == png(sheet(shown.sample(range(64))))


def test_latents_draw_the_same_classes_by_their_quantiles(model: Path) -> None:
    generator = load(model).generator
    latents = rng.latents(range(4000), 64)
    half = latents.double().square().sum(1, keepdim=True) / 2
    drawn = (half >= export.class_quantiles(generator)).long().sum(1)
    assert torch.equal(drawn, generator.classes_of(latents))
    assert torch.bincount(drawn, minlength=CLASSES)[1] == 0


def test_one_more_thread_or_fewer_changes_nothing(file: Path) -> None:
    one, two = (orthogan.load_exported(file, threads=n).sample(range(3)) for n in (1, 2))
    assert int(np.abs(one.astype(int) - two).max()) <= 1


def test_drawing_from_it_needs_no_pytorch(file: Path, tmp_path: Path) -> None:
    words = ["sample", str(file), "--seeds", "0-3", "--classes", "2", "--out", "four.png"]
    program = (
        "import sys; from orthogan.cli import main; code = main(sys.argv[1:]);"
        "sys.exit(code or (9 if 'torch' in sys.modules else 0))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *words], cwd=tmp_path, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "four.png\n"), done.stderr
    assert (tmp_path / "four.png").exists()


def test_the_command_writes_it_under_the_models_name(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["export", str(model), "--to", "onnx", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    written = tmp_path / facts["out"]
    assert written.name == f"{model.parent.name}.onnx"
    assert facts["bytes"] == written.stat().st_size
    assert facts["classes"] == CLASSES
    assert 0 <= facts["largest_difference"] <= export.TOLERANCE


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--to", "tflite"], "Unknown export format 'tflite'. Known: html, onnx."),
        (["--out", "x.png"], "An ONNX file ends in .onnx, got 'x.png'."),
    ],
)
def test_what_cannot_be_written_is_refused(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", "mnist-demo", *words]) == 2
    assert sentence in capsys.readouterr().err


def test_other_images_are_never_written(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "TOLERANCE", 0.0)
    with pytest.raises(BundleError, match="its ONNX form makes other images"):
        export.export_onnx(model, tmp_path / "other.onnx")
    assert not (tmp_path / "other.onnx").exists()


def test_a_file_that_is_deaf_to_classes_makes_other_images(model: Path, file: Path) -> None:
    """Every latent draws its class there, whatever is asked for."""

    class Deaf:
        def __init__(self, session: Any) -> None:
            self.session = session

        def run(self, names: list[str], given: dict[str, np.ndarray]) -> list[np.ndarray]:
            own = np.full_like(given[exported.LABELS], exported.OWN_CLASS)
            return self.session.run(names, {**given, exported.LABELS: own})

    drawn = orthogan.load_exported(file)
    generator = load(model).generator
    assert export.largest_difference(generator, drawn) <= export.TOLERANCE
    deaf = replace(drawn, session=Deaf(drawn.session))
    assert export.largest_difference(generator, deaf) > export.TOLERANCE


@pytest.mark.parametrize(
    ("value", "byte"), [(-1.2, 0), (99.6 / 127.5 - 1, 100), (99.4 / 127.5 - 1, 99), (1.2, 255)]
)
def test_pixels_are_rounded_to_the_nearest_byte(value: float, byte: int) -> None:
    class Grey:
        def run(self, _names: list[str], given: dict[str, np.ndarray]) -> list[np.ndarray]:
            return [np.full((len(given[exported.LATENTS]), 1, 1, 1), value, dtype=np.float32)]

    facts = {"size": 1, "colours": 1, "classes": 0, "latent_size": 4}
    drawn = exported.ExportedGenerator(path=Path("grey.onnx"), session=Grey(), **facts)
    assert drawn.sample([0]).item() == byte


def test_what_is_not_finite_counts_as_another_image(model: Path, file: Path) -> None:
    generator = load(model).generator
    with torch.no_grad():
        generator.head.fine.bias.fill_(float("nan"))
    assert export.largest_difference(generator, orthogan.load_exported(file)) == float("inf")


@pytest.mark.parametrize("package", ["onnx", "onnxscript", "onnxruntime"])
def test_without_its_packages_it_says_which(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=rf"{package}: .*orthogan\[export\]"):
        export.export_onnx("mnist-demo", tmp_path / "x.onnx")
    if package == "onnxruntime":
        with pytest.raises(MissingExtraError, match=package):
            exported.load_exported(tmp_path / "x.onnx")


def _described(**facts: object) -> str:
    whole = {"format": 1, "size": 16, "colours": 1, "classes": CLASSES, "latent_size": 64}
    return json.dumps(whole | facts)


def _with_description(file: Path, value: str | None) -> bytes:
    onnx = pytest.importorskip("onnx")
    graph = onnx.load(file)
    kept = [entry for entry in graph.metadata_props if entry.key != exported.METADATA]
    del graph.metadata_props[:]
    graph.metadata_props.extend(kept)
    if value is not None:
        graph.metadata_props.add(key=exported.METADATA, value=value)
    content: bytes = graph.SerializeToString()
    return content


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (None, "not a generator of ours"),
        ("[]", "not a generator of ours"),
        ('{"format": 2}', "format 2, this version reads 1"),
        ('{"format": 1, "size": "16"}', "its description is incomplete"),
        (_described(class_names=["a"]), "its description is incomplete"),
        (_described(class_names=[1, 2, 3, 4]), "its description is incomplete"),
        (_described(class_names="abcd"), "its description is incomplete"),
    ],
)
def test_a_file_of_others_is_refused(
    file: Path, tmp_path: Path, value: str | None, sentence: str
) -> None:
    other = tmp_path / "other.onnx"
    other.write_bytes(_with_description(file, value))
    with pytest.raises(BundleError, match=sentence):
        exported.load_exported(other)


def test_no_file_and_a_damaged_one(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sample", str(tmp_path / "none.onnx")]) == 3
    assert "none.onnx: no such file." in capsys.readouterr().err
    half = tmp_path / "half.onnx"
    half.write_bytes(file.read_bytes()[:1000])
    assert main(["sample", str(half)]) == 3
    said = capsys.readouterr().err
    assert "half.onnx: ONNX Runtime cannot read it" in said
    assert len(said.splitlines()) == 1

"""The Python face: settings in their order, models loaded or refused, images measured."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import orthogan
from orthogan.data import ImageSet
from orthogan.errors import (
    BundleError,
    ConfigError,
    DataError,
    OrthoganError,
    ResumeError,
    UnknownNameError,
)
from orthogan.gan import api, evaluation
from orthogan.gan.trainer import Trainer
from orthogan.inference_batches import INFERENCE_BATCH_SIZE
from orthogan.training.precision import resolve_precision


def test_importing_the_package_needs_nothing_heavy() -> None:
    code = (
        "import sys, orthogan; dir(orthogan); orthogan.__version__;"
        "heavy = {'torch', 'numpy', 'pydantic', 'PIL', 'yaml', 'rich'} & set(sys.modules);"
        "sys.exit(f'imports {heavy}' if heavy else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_public_names_are_reachable() -> None:
    assert dir(orthogan) == sorted(orthogan.__all__)
    for name in orthogan.__all__:
        assert getattr(orthogan, name) is not None
    assert orthogan.train is api.train
    assert orthogan.evaluate is api.evaluate
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        _ = orthogan.trian


# ---- resolve


def test_later_words_win_over_earlier_ones(tiny_file: Path, tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text(
        "batch_size = 8\nseed = 5\n[penalty]\ngamma_start = 2.0\n[generator]\nwidth = 16"
    )
    config = api.resolve(
        tiny_file,
        config=file,
        seed=7,
        images=1000,
        settings=["batch_size=4", "generator.hidden=32"],
    )
    assert (config.batch_size, config.penalty.gamma_start, config.seed) == (4, 2.0, 7)
    assert config.budget.to_dict() == {"images": 1000, "seconds": None}
    assert config.data.source == str(tiny_file)
    generator = config.generator.to_dict()
    assert (generator["width"], generator["hidden"], generator["size"]) == (16, 32, 16)


def test_what_is_not_asked_for_comes_from_the_file(tiny_file: Path, tmp_path: Path) -> None:
    file = tmp_path / "run.json"
    wanted = api.resolve(tiny_file, images=320, seed=5, settings=["generator.width=16"])
    file.write_text(json.dumps(wanted.to_dict()))
    assert api.resolve(config=file) == wanted
    assert api.resolve(config=file, seed=0).seed == 0


def test_networks_are_fitted_to_the_images(tiny_file: Path) -> None:
    config = api.resolve(tiny_file, size=20, settings=["condition=classes", "data.colour=rgb"])
    for network in (config.generator, config.discriminator):
        assert (network.size, network.colours, network.classes) == (20, 3, 4)
    assert config.budget.seconds == 300
    assert api.resolve(tiny_file, minutes=2.0).budget.seconds == 120


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"minutes": 1.0, "images": 10}, ConfigError, "exclude one another"),
        ({"minutes": 0.0}, ConfigError, "budget.seconds|seconds"),
        ({"images": 0}, ConfigError, "images"),
        ({"model": "atention-gan"}, UnknownNameError, "Did you mean 'attention-gan'"),
        ({"settings": ["batchsize=3"]}, ConfigError, "Did you mean 'batch_size'"),
        ({"settings": ["batch_size=1"]}, ConfigError, "batch_size"),
        ({"settings": ["batch_size"]}, ConfigError, "Expected NAME=VALUE"),
        ({"settings": ["loss=relativistc"]}, UnknownNameError, "Did you mean 'relativistic'"),
        ({"settings": ["penalty.kind=exakt"]}, UnknownNameError, "Did you mean 'exact'"),
        ({"settings": ["generator.kind=atention"]}, UnknownNameError, "attention"),
        ({"settings": ["generator_optimizer.learning_rate=.nan"]}, ConfigError, "learning_rate"),
        ({"seed": -1}, ConfigError, "seed"),
        ({"size": 18}, ConfigError, "18"),
        ({"config": "nowhere.toml"}, ConfigError, "nowhere.toml"),
    ],
)
def test_impossible_requests_are_refused(
    tiny_file: Path, options: dict[str, Any], error: type[OrthoganError], words: str
) -> None:
    with pytest.raises(error, match=words):
        api.resolve(tiny_file, **options)


def test_images_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="neither an existing file"):
        api.resolve(tmp_path / "none")


def test_conditional_training_needs_classes(tmp_path: Path) -> None:
    np.save(tmp_path / "plain.npy", np.zeros((32, 16, 16), np.uint8))
    with pytest.raises(ConfigError, match=r"at least 2 classes; plain\.npy has 0"):
        api.resolve(tmp_path / "plain.npy", settings=["condition=classes"])


def test_devices(train_tiny, tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="Unknown device 'gpu'"):
        train_tiny(tmp_path / "run", device="gpu")
    if not torch.cuda.is_available():
        with pytest.raises(ConfigError, match="no cuda device; use --device auto"):
            train_tiny(tmp_path / "run", device="cuda")
    assert not (tmp_path / "run").exists()


# ---- a trained model


@pytest.fixture
def small(train_tiny, tmp_path: Path) -> orthogan.Run:
    """A run of a few steps on 200 images."""
    run: orthogan.Run = train_tiny(tmp_path / "small", images=64)
    return run


def test_a_run_shows_itself_as_plain_values(small: orthogan.Run) -> None:
    tree = json.loads(json.dumps(small.to_dict(), allow_nan=False))
    assert tree["path"] == str(small.path)
    assert tree["status"] == "done"
    assert set(tree) == {
        "path",
        "task",
        "status",
        "reason",
        "next_command",
        "images_seen",
        "seconds",
        "scores",
    }


def test_the_default_run_folder(
    train_tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = train_tiny(None, images=16, seed=3)
    assert run.path == Path("runs/blobs-attention-gan-3")
    assert orthogan.load("blobs-attention-gan-3").sample([0]).shape == (1, 1, 16, 16)


def test_the_image_of_a_seed_is_its_own(small: orthogan.Run) -> None:
    some = small.sample([7, 3])
    assert some.dtype == torch.uint8
    assert some.shape == (2, 1, 16, 16)
    many = orthogan.sample(small.path, seeds=range(INFERENCE_BATCH_SIZE + 8))
    assert torch.equal(many[7], some[0])
    assert torch.equal(many[3], some[1])
    assert not torch.equal(many[3], many[7])
    assert orthogan.load(small.path / "bundle").sample([]).shape == (0, 1, 16, 16)


def test_impossible_samples_are_refused(small: orthogan.Run) -> None:
    with pytest.raises(ConfigError, match="between 0 and"):
        small.sample([-1])
    with pytest.raises(ConfigError, match=r"Classes lie in 0\.\.1"):  # two clusters
        small.sample([0], [2])


def test_an_unconditional_model_has_no_classes(train_tiny, tmp_path: Path) -> None:
    run = train_tiny(tmp_path / "run", "condition=none", images=64)
    with pytest.raises(ConfigError, match="without classes"):
        run.sample([0], [1])


def test_classes_decide_the_image_of_a_conditional_model(train_tiny, tmp_path: Path) -> None:
    run = train_tiny(tmp_path / "run", "condition=classes", images=64)
    model = orthogan.load(run.path)
    assert model.data["class_names"] == ["0", "1", "2", "3"]
    first, second = model.sample([5, 5], [0, 3])
    assert not torch.equal(first, second)
    with pytest.raises(ConfigError, match=r"Classes lie in 0\.\.3"):
        model.sample([5], [4])


def test_a_notebook_gets_a_png(small: orthogan.Run) -> None:
    assert orthogan.load(small.path)._repr_png_().startswith(b"\x89PNG\r\n\x1a\n")


def test_nothing_of_that_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnknownNameError, match="Unknown model or run folder 'digits'"):
        orthogan.load("digits")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BundleError, match="neither a run folder nor a bundle"):
        orthogan.load(tmp_path / "empty")


def test_damaged_models_are_refused(small: orthogan.Run, tmp_path: Path) -> None:
    def changed(change: Callable[[dict[str, Any]], None]) -> Path:
        folder = tmp_path / "changed"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(small.path / "bundle", folder)
        config = json.loads((folder / "config.json").read_text())
        change(config)
        (folder / "config.json").write_text(json.dumps(config))
        return folder

    assert orthogan.load(changed(lambda config: None)).config["width"] == 8
    with pytest.raises(BundleError, match="weights do not fit the network"):
        orthogan.load(changed(lambda config: config["generator"].update(width=16)))
    with pytest.raises(BundleError, match="no network can be built: Unknown generator 'quantum'"):
        orthogan.load(changed(lambda config: config["generator"].update(kind="quantum")))
    with pytest.raises(BundleError, match="no network can be built: Unknown setting 'depth'"):
        orthogan.load(changed(lambda config: config["generator"].update(depth=3)))
    with pytest.raises(BundleError, match="newer orthogan"):
        orthogan.load(changed(lambda config: config.update(format=99)))
    folder = changed(lambda config: None)
    weights = folder / "generator.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(BundleError, match="damaged"):
        orthogan.load(folder)


def test_a_run_without_a_model_yet(
    train_tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_args: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Trainer, "step", broken)
    with pytest.raises(KeyboardInterrupt):
        train_tiny(tmp_path / "run")
    for use in (orthogan.load, api.evaluate):
        with pytest.raises(BundleError, match="has no trained model yet; repeat its command"):
            use(tmp_path / "run")


# ---- evaluate


@pytest.fixture
def scored(train_tiny, scored_file: Path, tmp_path: Path) -> orthogan.Run:
    """A run of a few steps on enough images to measure."""
    run: orthogan.Run = train_tiny(tmp_path / "scored", source=scored_file, images=64)
    return run


def test_a_run_its_folder_and_its_model_score_alike(scored: orthogan.Run) -> None:
    options: dict[str, Any] = {"num_images": 160, "metrics": ["fd"]}
    results = [
        api.evaluate(source, **options).to_dict()
        for source in (scored, scored.path, str(scored.path), orthogan.load(scored.path))
    ]
    compared = [result.pop("compared") for result in results]
    assert all(result == results[0] for result in results)
    run, folder = str(scored.path), str(scored.path / "bundle")
    assert [found["source"] for found in compared] == [run, run, run, folder]
    for found in compared:
        assert (found["checkpoint"], found["num_images"], found["num_real"]) == (64, 160, 320)
        assert (found["split"], found["num_held_out"]) == ("all", 0)
        assert found["sentence"].startswith(
            f"Compared 160 images of {found['source']} (at 64 images of training) with the 320 "
        )
    json.dumps(results[0], allow_nan=False)
    ((name, score),) = results[0]["scores"].items()
    assert name.startswith("fd[general@")
    assert score["low"] <= score["value"] <= score["high"]
    assert score["value"] > score["floor"] > 0
    assert score["n"] == 160
    assert results[0]["verdict"]
    assert results[0]["data"] == orthogan.load(scored.path).data["source"]
    assert not any("--data" in note for note in results[0]["notes"])


def test_images_in_files_are_measured_too(scored_file: Path, tmp_path: Path) -> None:
    with np.load(scored_file, allow_pickle=False) as stored:
        images = stored["images"][:160]
    np.savez(tmp_path / "images.npz", images=images)
    (tmp_path / "folder").mkdir()
    for number, image in enumerate(images):
        Image.fromarray(image).save(tmp_path / "folder" / f"{number:03d}.png")
    found = [
        api.evaluate(tmp_path / name, scored_file, metrics=["fd"])
        for name in ("images.npz", "folder")
    ]
    assert found[0].scores == found[1].scores
    (score,) = found[0].scores.values()
    assert score.n == 160
    fewer = api.evaluate(tmp_path / "images.npz", scored_file, metrics=["fd"], num_images=140)
    assert next(iter(fewer.scores.values())).n == 140


def test_real_images_take_the_form_of_the_generated_ones(
    scored_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load, asked = evaluation.load_images, []

    def load_images(source: str, **form: Any) -> ImageSet:
        asked.append((source, form))
        return load(scored_file, size=form.get("size"), colour=form.get("colour", "auto"))

    monkeypatch.setattr(evaluation, "load_images", load_images)
    found = api.evaluate(scored_file, metrics=["fd"])  # against mnist, whose images are larger
    assert (found.data, found.to_dict()["data"]) == ("mnist", "mnist")
    assert "so they are compared with mnist; choose the real images with --data" in found.notes[0]
    chosen = api.evaluate(scored_file, "mnist", metrics=["fd"])
    assert chosen.data == "mnist"
    assert not any("--data" in note for note in chosen.notes)
    form = {"size": 16, "colour": "grey"}
    assert asked[:3] == asked[3:]
    assert asked[:3] == [
        (str(scored_file), {}),
        ("mnist", form),
        ("mnist", {"split": "test"} | form),
    ]


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"num_images": 0}, ConfigError, "At least 1 image"),
        ({"num_images": 20, "metrics": ["kd"]}, ConfigError, "needs at least 100 images in both"),
        ({"metrics": ["fdd"]}, UnknownNameError, "Did you mean 'fd'"),
    ],
)
def test_impossible_measurements_are_refused(
    scored: orthogan.Run, options: dict[str, Any], error: type[OrthoganError], words: str
) -> None:
    with pytest.raises(error, match=words):
        api.evaluate(scored, **({"num_images": 160} | options))


def test_errors_carry_the_exit_code_of_their_kind(train_tiny, small: orthogan.Run) -> None:
    with pytest.raises(ResumeError) as caught:
        train_tiny(small.path, seed=3)
    assert caught.value.exit_code == 6
    with pytest.raises(UnknownNameError) as unknown:
        api.evaluate("nothing-of-this-name")
    assert unknown.value.exit_code == 2


def test_the_precision_that_auto_means_is_written_down(tiny_file: Path) -> None:
    expected = resolve_precision("auto", torch.device("cpu"))
    assert api.resolve(tiny_file).precision == expected
    assert api.resolve(tiny_file, settings=["precision=float32"]).precision == "float32"


def test_too_few_images_for_a_score_are_told(
    train_tiny, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of digits, whose features are compared all; the components of others are fewer then."""
    source = tmp_path / "few.npz"
    np.savez(source, images=np.random.default_rng(0).integers(0, 256, (100, 16, 16), np.uint8))
    train_tiny(tmp_path / "run", source=source, images=16, show_progress=True)
    assert "100 images are too few to score during training." in capsys.readouterr().err

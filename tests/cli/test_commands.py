"""What each command asks of the Python interface, writes and prints."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from PIL import Image

from orthogan.data import pictures
from orthogan.gan import api as gan_api
from orthogan.images.sheet import is_grid
from orthogan.models import generator
from orthogan.training.run_folder import RunFolder


def test_train_passes_its_options_on(cli, api) -> None:
    answer = cli(
        *("train", "stacked-mnist", "--model", "conv-gan", "--for", "90s", "--run", "here"),
        *("--seed", "7", "--device", "cpu", "--threads", "2", "--size", "32"),
        *("--set", "loss.gamma=2", "--set", "x.y=[1, 2]", "--config", "c.toml"),
    )
    assert answer.code == 0
    assert api.calls == [
        (
            "train",
            ("stacked-mnist",),
            {
                "model": "conv-gan",
                "minutes": 1.5,
                "images": None,
                "run": Path("here"),
                "seed": 7,
                "device": "cpu",
                "threads": 2,
                "settings": ["loss.gamma=2", "x.y=[1, 2]"],
                "config": Path("c.toml"),
                "size": 32,
            },
        )
    ]


def test_train_has_the_defaults_of_the_python_interface(cli, api) -> None:
    cli("train")
    name, args, options = api.calls[0]
    assert (name, args) == ("train", (None,))
    assert options == {
        "model": None,
        "minutes": None,
        "images": None,
        "run": None,
        "seed": None,
        "device": "auto",
        "threads": None,
        "settings": [],
        "config": None,
        "size": None,
    }


@pytest.mark.parametrize(
    "words",
    [
        ("train", "--for", "5m"),
        ("train", "--dry-run"),
        ("sample", "x", "--classes", "3"),
        ("evaluate", "x", "--metrics", "fd"),
    ],
)
def test_what_is_passed_on_is_what_the_python_interface_takes(cli, api, words) -> None:
    cli(*words)
    name, args, options = api.calls[0]
    inspect.signature(getattr(generator if name == "sample" else gan_api, name)).bind(
        *args, **options
    )


def test_train_for_a_number_of_images(cli, api) -> None:
    cli("train", "--images", "500k")
    assert (api.calls[0][2]["images"], api.calls[0][2]["minutes"]) == (500_000, None)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--for", "0"), "Expected a duration"),
        (("--for", "0s"), "A duration is above zero"),
        (("--images", "0"), "A count is a whole number above zero"),
        (("--for", "5m", "--images", "3"), "--for and --images exclude one another"),
        (("--device", "cud"), "Unknown device 'cud'. Did you mean 'cuda'?"),
    ],
)
def test_train_refuses(cli, api, words: tuple[str, ...], sentence: str) -> None:
    answer = cli("train", *words)
    assert (answer.code, answer.out, api.calls) == (2, "", [])
    assert answer.err.startswith(f"orthogan: {sentence}")


@pytest.mark.parametrize(
    ("status", "code"), [("done", 0), ("interrupted", 130), ("diverged", 4), ("preempted", 75)]
)
def test_train_ends_with_why_and_what_next(cli, api, status: str, code: int) -> None:
    api.status = status
    answer = cli("train")
    assert answer.code == code
    assert answer.err.splitlines()[-1] == "The time was up. Next: orthogan sample runs/mnist"
    assert answer.out.splitlines()[0] == str(Path("runs/mnist"))
    assert "fd[digits@1a2b3c]  1.5" in answer.out


def test_train_json_is_one_document(cli, api) -> None:
    api.scores = {"fd": float("inf")}
    answer = cli("train", "--json")
    assert json.loads(answer.out)["scores"] == {"fd": None}
    assert "Next:" in answer.err


@pytest.mark.parametrize(("words", "read"), [((), yaml.safe_load), (("--json",), json.loads)])
def test_dry_run_shows_the_settings_and_trains_nothing(cli, api, words, read) -> None:
    answer = cli("train", "photos", "--dry-run", *words)
    assert read(answer.out) == {"data": "photos", "loss": {"gamma": 1.0}}
    assert [name for name, *_ in api.calls] == ["resolve"]
    assert (answer.code, answer.err) == (0, "")


def test_sample_writes_a_grid_by_default(cli, api) -> None:
    answer = cli("sample", "runs/mnist/bundle", "--seeds", "0-5")
    assert (answer.code, answer.out) == (0, "samples-mnist.png\n")
    assert api.calls == [
        ("sample", ("runs/mnist/bundle",), {"seeds": [0, 1, 2, 3, 4, 5], "classes": None})
    ]
    with Image.open("samples-mnist.png") as image:
        assert image.size == (50 * 8, 33 * 8)


def test_sample_writes_arrays(cli) -> None:
    answer = cli("sample", "mnist-demo", "--seeds", "3,7", "--out", "deep/x.npz", "--json")
    assert json.loads(answer.out) == {
        "out": str(Path("deep/x.npz")),
        "num_images": 2,
        "seeds": "3,7",
        "size": 16,
        "colours": 1,
    }
    with np.load("deep/x.npz", allow_pickle=False) as arrays:
        assert arrays["images"].shape == (2, 16, 16, 1)
        assert arrays["images"].dtype == np.uint8
        assert arrays["images"][:, 0, 0, 0].tolist() == [3, 7]
        assert arrays["seeds"].tolist() == [3, 7]


@pytest.mark.parametrize(("colours", "mode"), [(1, "L"), (3, "RGB")])
def test_sample_writes_a_folder_named_by_seeds(cli, api, colours: int, mode: str) -> None:
    api.colours = colours
    assert cli("sample", "mnist-demo", "--seeds", "3,70", "--out", "folder").code == 0
    assert sorted(path.name for path in Path("folder").iterdir()) == ["000003.png", "000070.png"]
    with Image.open("folder/000070.png") as image:
        assert (image.mode, image.size) == (mode, (16, 16))
        assert np.asarray(image).flat[0] == 70


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".jpeg", ".webp"])
def test_sample_writes_grids_that_no_run_learns_from(cli, suffix: str) -> None:
    target = f"grid{suffix}"
    assert cli("sample", "mnist-demo", "--seeds", "0-3", "--scale", "3", "--out", target).code == 0
    with Image.open(target) as image:
        assert image.size == (33 * 3, 33 * 3)
        assert abs(int(np.asarray(image.convert("L"))[0, -1]) - 1) <= 3  # seed 1 stands there
        assert is_grid(image)
    with pytest.raises(ValueError, match="a grid of images that orthogan drew"):
        pictures.decode(Path(target).read_bytes())


@pytest.mark.parametrize(("name", "loss"), [("png", 0), ("webp", 0), ("jpg", 3)])
def test_sample_writes_folders_in_a_format(cli, api, name: str, loss: int) -> None:
    api.colours = 3
    words = ("--seeds", "3,70", "--out", "folder", "--format", name, "--scale", "2")
    assert cli("sample", "mnist-demo", *words).code == 0
    paths = sorted(Path("folder").iterdir())
    assert [path.name for path in paths] == [f"000003.{name}", f"000070.{name}"]
    with Image.open(paths[1]) as image:
        assert image.size == (32, 32)
        assert np.abs(np.asarray(image).astype(int) - 70).max() <= loss
        assert not is_grid(image)


def test_sample_keeps_transparency(cli, api) -> None:
    api.colours = 4
    assert cli("sample", "mnist-demo", "--seeds", "3,70", "--out", "a.webp").code == 0
    for name in ("png", "webp"):
        assert (
            cli("sample", "mnist-demo", "--seeds", "3", "--out", name, "--format", name).code == 0
        )
        with Image.open(f"{name}/000003.{name}") as image:
            assert image.mode == "RGBA"
            assert np.unique(np.asarray(image)).tolist() == [3]  # colours under nothing too
    answer = cli("sample", "mnist-demo", "--seeds", "3", "--out", "jpg", "--format", "jpg")
    assert (answer.code, Path("jpg").exists()) == (2, False)
    assert ".jpg pictures cannot be transparent; choose .png or .webp" in answer.err
    with Image.open("a.webp") as image:  # the board shows where little is opaque
        assert len(np.unique(np.asarray(image)[:64, :64, 0])) > 1


def test_sample_asks_for_classes(cli, api) -> None:
    cli("sample", "mnist-demo", "--seeds", "0-4", "--classes", "3,8")
    assert api.calls[0][2]["classes"] == [3, 8]  # shown in turn by whatever draws them
    cli("sample", "mnist-demo", "--classes", 'cats, "a, b",0-3')
    assert api.calls[1][2]["classes"] == ["cats", "a, b", "0-3"]


def test_help_tells_how_classes_are_named(cli) -> None:
    said = " ".join(cli("sample", "--help").out.split())
    assert "Where a name exists it wins; a number that is no name is an index" in said
    assert """--classes '"salt, pepper",cats'""" in said


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("--seeds", "-1"), 2, "Expected seeds such as"),
        (("--seeds", "9-1"), 2, "A range of seeds goes upward"),
        (("--classes", '"x'), 2, "Expected classes such as"),
        (("--out", "x.gif"), 2, "--out is a .png, .jpg, .webp or .npz file or a folder, got"),
        (("--out", "x.png", "--format", "jpg"), 2, "--format is for the pictures of a folder"),
        (("--out", "x", "--format", "jpeg"), 2, "Unknown format 'jpeg'. Did you mean 'jpg'?"),
        (("--out", "x.npz", "--scale", "2"), 2, "a .npz keeps the images as they are"),
        (("--scale", "0"), 2, "--scale"),
        (("--scale", "64", "--seeds", "0-9999"), 2, "at most 100,000,000 pixels, this one would"),
        (("--seeds", "0-10000"), 2, "A grid holds at most 10000 images, got 10001"),
        (("--out", "file/x.png"), 3, "file/x.png: cannot be written"),
        (("--out", "file/x.npz"), 3, "file/x.npz: cannot be written"),
        (("--out", "file/x"), 3, "file/x: cannot be written"),
    ],
)
def test_sample_refuses(cli, words: tuple[str, ...], code: int, sentence: str) -> None:
    Path("file").write_bytes(b"")
    answer = cli("sample", "mnist-demo", *words)
    assert (answer.code, answer.out) == (code, "")
    assert sentence in answer.err
    assert [path.name for path in Path().iterdir()] == ["file"]


def test_evaluate_passes_its_options_on_and_shows_a_table(cli, api) -> None:
    answer = cli(
        *("evaluate", "runs/x", "--data", "photos", "--metrics", "fd, kd"),
        *("--num-images", "500", "--seed", "3", "--extractor", "general"),
    )
    assert answer.code == 0
    options = {"metrics": ["fd", "kd"], "num_images": 500, "seed": 3, "extractor": "general"}
    ((name, places, given),) = api.calls
    assert (name, places, {key: given[key] for key in options}) == (
        "evaluate",
        ("runs/x", "photos"),
        options,
    )
    lines = answer.out.splitlines()
    assert lines[1].split() == ["fd[digits]", "1.235", "1", "to", "1.5", "0.065", "10000"]
    assert lines[2].split() == ["kd", "-", "-", "-", "10"]
    assert lines[-1] == "Usable."
    assert answer.err == "N.\n"


def test_evaluate_names_what_it_compares_with(cli, api, monkeypatch) -> None:
    compared = {"sentence": "Compared 3 images of x with pets\x1b.", "data": "pets\x1b"}
    tree = {"scores": {}, "verdict": "Usable.", "notes": ["Choose."], "compared": compared}
    monkeypatch.setattr(
        api, "evaluate", lambda *_, **__: SimpleNamespace(to_dict=lambda: tree), raising=False
    )
    answer = cli("evaluate", "x")
    assert answer.out.splitlines()[-2:] == ["Compared 3 images of x with pets\\x1b.", "Usable."]
    assert answer.err == "Choose.\n"
    assert json.loads(cli("evaluate", "x", "--json").out)["compared"] == compared


def test_evaluate_writes_neighbours_and_refuses_other_files_first(cli, api, monkeypatch) -> None:
    drawn = Image.new("L", (8, 8))
    monkeypatch.setattr(api, "neighbours", lambda *_, **__: drawn, raising=False)
    assert cli("evaluate", "x", "--neighbours", "new/pairs.png").code == 0
    with Image.open("new/pairs.png") as picture:
        assert picture.size == (8, 8)
    calls = len(api.calls)
    answer = cli("evaluate", "x", "--neighbours", "pairs.txt")
    assert answer.code == 2
    assert "pairs.txt: a picture ends in .png, .jpg, .jpeg or .webp" in answer.err
    assert len(api.calls) == calls


def test_evaluate_json(cli, api) -> None:
    tree = json.loads(cli("evaluate", "x", "--json").out)
    assert tree["scores"]["fd[digits]"]["floor"] == 0.065
    assert tree["scores"]["kd"]["value"] is None
    assert tree["verdict"] == "Usable."
    usual = {"metrics": None, "num_images": None, "seed": 0}
    usual |= {"extractor": "auto", "second_judge": "auto"}
    given = dict(api.calls[0][2])
    assert callable(given.pop("report"))
    assert given == usual


def test_runs(cli) -> None:
    answer = cli("runs")
    assert (answer.code, answer.out) == (0, "")
    assert "There are no runs in runs" in answer.err
    with RunFolder.open(Path("runs/a"), {}, {}) as run:
        run.update_status("done", images_seen=64_000, seconds=300.4, scores={"fd": 1.2345678})
    RunFolder.open(Path("runs/b"), {}, {}).close()
    lines = {line.split()[0]: line for line in cli("runs").out.splitlines()}
    assert "done" in lines["runs/a"]
    assert "64,000  300      fd 1.235" in lines["runs/a"]
    assert "interrupted" in lines["runs/b"]
    rows = json.loads(cli("runs", "--json").out)
    assert {row["run"]: row["status"] for row in rows} == {
        "runs/a": "done",
        "runs/b": "interrupted",
    }


def test_runs_of_a_missing_folder(cli) -> None:
    answer = cli("runs", "nowhere")
    assert answer.code == 3
    assert answer.err == "orthogan: nowhere: is not a folder, so it has no runs.\n"
    assert json.loads(cli("runs", "--json").out) == []


def test_recipes(cli) -> None:
    listed = cli("recipes").out
    known = json.loads(cli("recipes", "--json").out)
    for name, line in known.items():
        assert line
        assert name in listed
    assert "attention-gan" in known
    assert yaml.safe_load(cli("recipes", "attention-gan").out)
    answer = cli("recipes", "atention-gan")
    assert answer.code == 2
    assert "Did you mean 'attention-gan'?" in answer.err


@pytest.mark.parametrize("command", ["train", "classify"])
def test_classes_by_file_names_are_a_setting(command: str, tmp_path: Path, capsys) -> None:
    from orthogan.cli import main

    pixels = np.random.default_rng(0).integers(0, 256, (20, 16, 16), dtype=np.uint8)
    for number, array in enumerate(pixels):
        Image.fromarray(array).save(tmp_path / f"{'ab'[number % 2]}_{number}.png")
    words = [command, str(tmp_path), "--labels", "prefix", "--dry-run", "--json"]
    assert main(words) == 0
    assert json.loads(capsys.readouterr().out)["data"]["labels"] == "prefix"
    assert main([*words[:2], "--labels", "suffix"]) == 2
    assert "'suffix': Input should be 'auto' or 'prefix'" in capsys.readouterr().err

"""Valid runs, bundles, settings and comparisons, made by the code that writes them."""

from __future__ import annotations

import json
import tempfile
from functools import cache, partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import yaml

from fuzz.archives import Files, pack, unpack
from fuzz.seeds import SIZE, TEXT, metrics_lines, npy, pixels
from orthogan import rng
from orthogan.classification import ClassificationConfig
from orthogan.classification.api import classify
from orthogan.evaluation import LiveScore
from orthogan.experiments.compare import compare
from orthogan.experiments.plan import identity
from orthogan.gan import task as gan_task
from orthogan.gan.api import train
from orthogan.gan.recipes import RECIPES
from orthogan.language import LanguageConfig
from orthogan.language.api import train_language
from orthogan.language.transformer import LanguageNetworkConfig
from orthogan.models import bundle
from orthogan.models.bundle.tensors import digest
from orthogan.networks import GENERATORS
from orthogan.training.checkpoint import save_checkpoint
from orthogan.training.run_folder import RunFolder

# The general extractor alone takes longer than an execution may.
QUICK_SCORE = partial(LiveScore, extractor="digits-cls")
MADE_BY = {"torch": "2", "threads": 1, "data_fingerprint": "abc", "command": "orthogan train"}
TINY_GAN = (
    *("generator.latent_size=4", "generator.width=8", "generator.channels=4", "generator.hidden=8"),
    *("generator.blocks=1", "generator.size=16", "discriminator.size=16", "discriminator.width=8"),
    *("discriminator.channels=4", "discriminator.heads=2", "discriminator.hidden=8"),
)
TINY_NETWORK = ("network.width=8", "network.heads=2", "network.blocks=1", "batch_size=2")
TINY_CLASSIFIER = (*TINY_NETWORK, "network.channels=4")
HERE = b"@HERE@"  # in a plan: the folder that it lies in
LABELS = np.arange(32) % 2
TINY_LANGUAGE = (*TINY_NETWORK, "network.context=8")


def configs() -> dict[str, Any]:
    """A tiny configuration of each kind of run."""
    return {
        "gan": RECIPES["attention-gan"]().evolve(*TINY_GAN),
        "classify": ClassificationConfig().evolve(*TINY_CLASSIFIER, "network.size=16"),
        "language": LanguageConfig().evolve(*TINY_LANGUAGE, "data.source=a.txt"),
    }


def _read_back(folder: Path) -> Files:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


@cache
def run_folders() -> list[bytes]:
    """Run folders of each kind, with a record, lines, a score and a checkpoint."""
    packed = []
    for kind, config in configs().items():
        with (
            tempfile.TemporaryDirectory() as name,
            RunFolder.open(Path(name) / "run", config.to_dict(), MADE_BY) as run,
        ):
            run.update_status(
                "done", reason="Done.", images_seen=640, seconds=1.5, scores={"fd": 1.0}
            )
            run.metrics_path.write_bytes(metrics_lines()[0])
            score = "accuracy" if kind == "classify" else "bits_per_character"
            own = {"scores": {score: {"value": 0.5, "low": 0.4, "high": 0.6}}}
            (run.path / "score.json").write_text(json.dumps(own))
            part = config.generator if kind == "gan" else config.network
            with rng.initialization(0, "fuzz"):
                tensors = part.build().state_dict()
            prefix = "network" if kind == "language" else "average"
            held = {f"{prefix}/{name}": tensor for name, tensor in tensors.items()}
            for images_seen in (320, 640):
                state = {"elapsed_s": 1.5, "scores": {"fd": 1.0}, "images_seen": images_seen}
                save_checkpoint(run.path, images_seen, held, state)
            packed.append(pack(_read_back(run.path)))
    return packed


@cache
def bundles(role: str) -> list[bytes]:
    """Bundles of a role with tiny networks."""
    data: dict[str, Any] = {"source": "none", "size": SIZE, "colours": 1, "class_names": ["a", "b"]}
    card = {"title": "tiny", "summary": "Made by code.", "scores": {}}
    with tempfile.TemporaryDirectory() as name, rng.initialization(0, "fuzz"):
        folder = Path(name) / "bundle"
        if role == "language":
            config: Any = LanguageNetworkConfig(vocabulary=3, width=8, heads=2, blocks=1, context=8)
            vocabulary = {"tokeniser": "characters", "entries": ["<unk>", "a", "\n"]}
            bundle.save_bundle(
                folder, role="language", network_config=config.to_dict(), vocabulary=vocabulary,
                tensors=config.build().state_dict(), data=data, card=card,
            )  # fmt: skip
        else:
            config = (
                GENERATORS["attention"](
                    size=SIZE, classes=2, hidden=8, width=8, channels=4, latent_size=4
                )
                if role == "generator"
                else configs()["classify"].network.evolve(classes=2)
            )
            bundle.save_bundle(
                folder, role=role, network_config=config.to_dict(),  # type: ignore[arg-type]
                tensors=config.build().state_dict(), data=data | {"label_parts": 1}, card=card,
            )  # fmt: skip
        return [pack(_read_back(folder))]


def seal_bundle(files: Files) -> None:
    """Makes the checksums of a bundle fit its files again."""
    config = _tree_of(files, "config.json")
    weights = next(
        (content for name, content in files.items() if name.endswith(".safetensors")), None
    )
    if isinstance(config, dict):
        if weights is not None:
            config["sha256"] = digest(weights)
        if isinstance(config.get("data"), dict) and "vocabulary.json" in files:
            config["data"]["vocabulary_sha256"] = digest(files["vocabulary.json"])
        files["config.json"] = json.dumps(config).encode()


def seal_run(files: Files) -> None:
    """Makes the checksums of the checkpoints of a run fit again."""
    for name in [name for name in files if name.endswith("/state.json")]:
        state = _tree_of(files, name)
        if isinstance(state, dict) and "state" in state:
            state["state_sha256"] = digest(json.dumps(state["state"]).encode())
            tensors = files.get(name.replace("state.json", "tensors.safetensors"), b"")
            state["sha256"] = digest(tensors)
            files[name] = json.dumps(state).encode()


def _tree_of(files: Files, name: str) -> Any:
    try:
        return json.loads(files.get(name, b""))
    except (ValueError, RecursionError):
        return None


def config_files(suffix: str) -> list[bytes]:
    """Configuration files of each kind of run."""
    trees = [config.to_dict() for config in configs().values()]
    if suffix == ".json":
        return [json.dumps(tree).encode() for tree in trees]
    if suffix == ".yaml":
        return [yaml.safe_dump(tree).encode() for tree in trees]
    return [
        b"seed = 3\nbatch_size = 8\n[generator]\nwidth = 16\nscore = 'cosine'\n",
        b"[data]\nsource = 'mnist'\nsize = 28\n[penalty]\ngamma_start = 1e-2\n",
    ]


def settings_lines() -> list[bytes]:
    """What people give to `--set`, a line each."""
    return [
        b"generator.width=16\nseed=3\nbudget.images=640\ngenerator.kind=transformer",
        b"network.blocks=2\nnetwork.score=cosine\nprecision=float32\ndata.source='a b'",
        b"batch_size=[1, 2]\nlearning_rate=1e-3\ndata.size=null\nsignals_every=~",
    ]


def command_words() -> list[bytes]:
    """Durations, counts, ranges and rules, a line each."""
    return [
        b"5m\n90s\n1h30m\n2d\n0.5h",
        b"500k\n2M\n10000\n1.5k\n1_000",
        b"0-63\n3,7,10-12\n5",
        b'cats,0-2\n"a, b",10\n-1',
        b"kept>=0.995\nflips<=3\ntolerance > 1e-3",
        b"generator.score=softmax,cosine\nbetas=[0,1],[2,3]",
    ]


@cache
def onnx_files() -> list[bytes]:
    """Two tiny generators as ONNX files, one with classes: what an export holds, without one."""
    from onnx import TensorProto, helper, numpy_helper

    files = []
    for num_classes in (0, 2):
        weights = np.random.default_rng(0).normal(size=(4, SIZE * SIZE)).astype("f4")
        constants = {"w": weights, "form": np.array([-1, 1, SIZE, SIZE])}
        steps = [
            ("MatMul", ["latents", "w"], "a"),
            ("Tanh", ["a"], "b"),
            ("Reshape", ["b", "form"], "images"),
        ]
        inputs = [helper.make_tensor_value_info("latents", TensorProto.FLOAT, ["B", 4])]
        if num_classes:
            inputs.append(helper.make_tensor_value_info("labels", TensorProto.INT64, ["B"]))
        graph = helper.make_graph(
            [helper.make_node(kind, given, [result]) for kind, given, result in steps],
            "tiny",
            inputs,
            [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["B", 1, SIZE, SIZE])],
            [numpy_helper.from_array(value, name) for name, value in constants.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        said = {"format": 1, "size": SIZE, "colours": 1, "classes": num_classes, "latent_size": 4}
        helper.set_model_props(model, {"orthogan": json.dumps(said)})
        files.append(model.SerializeToString())
    return files


_EVALUATION = {
    "made_from": {"metrics": ["fd"], "num_images": 10_000, "weights": "", "orthogan": "0"},
    "evaluation": {"scores": {"fd": {"value": 1.5, "low": 1.0, "high": 2.0, "floor": 0.1, "n": 9}}},
}


def comparison_folders() -> list[bytes]:
    """Finished comparisons of two runs of each kind, with what was written."""
    packed = []
    for kind in configs():
        own = {
            name: content
            for name, content in _files_of_run(kind).items()
            if name in ("run.json", "score.json", "metrics.jsonl")
        }
        files: Files = {}
        for seed in (0, 1):
            record = json.loads(own["run.json"])
            record["config"]["seed"] = seed
            files |= {f"a-seed{seed}/{name}": content for name, content in own.items()}
            files[f"a-seed{seed}/run.json"] = json.dumps(record).encode()
            if kind == "gan":  # which is scored by the comparison
                files[f"evaluations/a-seed{seed}.json"] = json.dumps(_EVALUATION).encode()
        plan = {
            "format": 1, "orthogan": "0", "task": kind, "created": "2026", "precision": "float32",
            "variants": [{"label": "a", "settings": identity(configs()[kind])}],
            "seeds": [[0, 1]], "notes": [], "runs": ["a-seed0", "a-seed1"],
        }  # fmt: skip
        result = {"orthogan": "0", "task": kind, "status": "done", "variants": [], "runs": []}
        files["plan.json"] = json.dumps(plan).encode()
        files["result.json"] = json.dumps(result).encode()
        packed.append(pack(files))
    return packed


def _files_of_run(kind: str) -> Files:
    return unpack(run_folders()[list(configs()).index(kind)])


def resumed(kind: str, folder: Path) -> object:
    """A tiny run of a kind in `folder`, which the images or the text are put beside."""
    if kind != "language":
        source = folder / "images.npz"
        source.write_bytes(pack({"images.npy": npy(pixels(32)), "labels.npy": npy(LABELS)}))
        settings = TINY_CLASSIFIER if kind == "classify" else (*TINY_GAN, "compile=off")
        with patch.object(gan_task, "LiveScore", QUICK_SCORE):
            return (classify if kind == "classify" else train)(
                source, images=16, run=folder / "run", threads=1, device="cpu", show_progress=False,
                settings=(*settings, "batch_size=8", "precision=float32"),
            )  # fmt: skip
    source = folder / "text.txt"
    source.write_text(TEXT)
    return train_language(
        source, tokens=64, run=folder / "run", threads=1, device="cpu", show_progress=False,
        settings=(*TINY_LANGUAGE, "precision=float32"),
    )  # fmt: skip


@cache
def stopped_runs(kind: str) -> list[bytes]:
    """A run of a kind at the end of its budget: finished, and as one that was interrupted there."""
    with tempfile.TemporaryDirectory() as name:
        resumed(kind, Path(name))
        done = _read_back(Path(name) / "run")
    record = json.loads(done["run.json"]) | {"status": "interrupted"}
    stopped = {name: content for name, content in done.items() if not name.startswith("bundle/")}
    return [pack(stopped | {"run.json": json.dumps(record).encode()}), pack(done)]


def planned(folder: Path) -> object:
    """The plan of a comparison in `folder / "out"`, made or read back."""
    source = folder / "text.txt"
    source.write_text(TEXT)
    return compare(
        task="language", vary={"network.blocks": [1, 2]}, seeds=1, source=source, tokens=64,
        settings=TINY_LANGUAGE, device="cpu", threads=1, plan=True, out=folder / "out",
        show_progress=False,
    ).to_dict()  # fmt: skip


@cache
def plans() -> list[bytes]:
    """The folder of a planned comparison."""
    with tempfile.TemporaryDirectory() as name:
        planned(Path(name))
        files = _read_back(Path(name) / "out")
        return [pack({each: text.replace(name.encode(), HERE) for each, text in files.items()})]

"""The readers that are fuzzed, each called as the product calls it."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import torch

from fuzz import run_seeds, seeds
from fuzz.archives import folder_form, lay_out, pack, zip_form
from fuzz.registry import Calls, target
from fuzz.structured import (
    gzip_form,
    json_form,
    json_lines_form,
    npy_form,
    picture_form,
    plain,
    safetensors_form,
    text_form,
    xz_form,
)
from orthogan import data
from orthogan.analysis import api as analyses
from orthogan.analysis import trained
from orthogan.class_names import class_indices
from orthogan.classification import model as classifier_model
from orthogan.cli import amounts
from orthogan.cli.geometry import _rule
from orthogan.config import read_config_file
from orthogan.data.formats.packed import write_example as write_packed_example
from orthogan.data.named import read_named
from orthogan.embeddings import find_tests, read_tables
from orthogan.experiments import record, trials, variants
from orthogan.experiments.compare import compare
from orthogan.export.onnx_file import load_exported
from orthogan.language import model as language_models
from orthogan.language.corpus import read_corpus
from orthogan.language.tokenizer import SPLITTERS, learn_tokenizer, read_tokenizer
from orthogan.models import generator as models
from orthogan.training import checkpoint, metrics_file, run_folder
from orthogan.training.launch import recorded_threads
from orthogan.words import Vocabulary, tokenize


def written(folder: Path, name: str, content: bytes) -> Path:
    """A file with this content."""
    path = folder / name
    path.write_bytes(content)
    return path


# ---- images


@target("npy-images", seeds.image_arrays, npy_form)
def npy_images(content: bytes, folder: Path) -> Calls:
    yield partial(data.load, written(folder, "x.npy", content))


@target("npz-images", seeds.image_zips, zip_form)
def npz_images(content: bytes, folder: Path) -> Calls:
    path = written(folder, "x.npz", content)
    yield partial(data.load, path)
    yield partial(data.load, path, split="test")


@target("npz-labels", seeds.label_arrays, npy_form)
def npz_labels(content: bytes, folder: Path) -> Calls:
    images = seeds.npy(seeds.pixels())
    packed = pack({"images.npy": images, "labels.npy": content})
    yield partial(data.load, written(folder, "x.npz", packed))


@target("idx", seeds.idx, plain)
def idx(content: bytes, folder: Path) -> Calls:
    yield partial(data.load, written(folder, "train-images-idx3-ubyte", content))


@target("idx-gz", seeds.idx_gz, gzip_form)
def idx_gz(content: bytes, folder: Path) -> Calls:
    yield partial(data.load, written(folder, "x.gz", content))


@target("idx-xz", seeds.idx_xz, xz_form)
def idx_xz(content: bytes, folder: Path) -> Calls:
    yield partial(data.load, written(folder, "x.xz", content))


@target("picture", seeds.pictures, picture_form)
def picture(content: bytes, folder: Path) -> Calls:
    yield partial(read_named, written(folder, "x.png", content), 16, 1)


@target("picture-folder", seeds.picture_folders, folder_form(), carried=True)
def picture_folder(content: bytes, folder: Path) -> Calls:
    lay_out(content, folder)
    yield partial(data.load, folder)
    yield partial(read_named, folder, 16, 3)


@target("picture-zip", seeds.picture_zips, zip_form)
def picture_zip(content: bytes, folder: Path) -> Calls:
    yield partial(data.load, written(folder, "x.zip", content))


@target("picture-tar", seeds.tars, plain)
def picture_tar(content: bytes, folder: Path) -> Calls:
    yield partial(data.load, written(folder, "x.tar", content))


@target("packed-index", seeds.packed_indexes, json_form)
def packed_index(content: bytes, folder: Path) -> Calls:
    if not (folder / "x.orthogan").exists():  # the folder may be that of the input before
        write_packed_example(folder / "x.orthogan")
    written(folder / "x.orthogan", "index.json", content)
    yield partial(data.load, folder / "x.orthogan")


@target("tiff", seeds.tiffs, plain)
def tiff(content: bytes, folder: Path) -> Calls:
    yield partial(read_named, written(folder, "x.tif", content), 16, 1)


@target("csv-images", seeds.csv_tables, text_form)
def csv_images(content: bytes, folder: Path) -> Calls:
    yield partial(data.load, written(folder, "x.csv", content))


@target("cifar", seeds.cifar, plain)
def cifar(content: bytes, folder: Path) -> Calls:
    yield partial(data.load, written(folder, "x.bin", content))


@target("parquet", seeds.parquet, plain)
def parquet(content: bytes, folder: Path) -> Calls:
    yield partial(data.load, written(folder, "x.parquet", content))


@target("file-folder", seeds.file_folders, folder_form(), carried=True)
def file_folder(content: bytes, folder: Path) -> Calls:
    lay_out(content, folder)
    yield partial(data.load, folder)
    yield partial(data.load, folder, split="test")


@target("file-zip", seeds.file_folders, zip_form)
def file_zip(content: bytes, folder: Path) -> Calls:
    yield partial(data.load, written(folder, "x.zip", content))


# ---- tables of vectors


@target("word2vec-binary", seeds.word2vec_binary, plain)
def word2vec_binary(content: bytes, folder: Path) -> Calls:
    yield partial(read_tables, written(folder, "x.bin", content))


@target("word-lines", seeds.word_lines, text_form)
def word_lines(content: bytes, folder: Path) -> Calls:
    path = written(folder, "x.txt", content)
    yield partial(read_tables, path)
    yield partial(read_tables, path, limit=2)


@target("word-list", seeds.word_lists, text_form)
def word_list(content: bytes, folder: Path) -> Calls:
    path = written(folder, "x.npy", seeds.vector_array())
    written(folder, "x.txt", content)
    yield partial(read_tables, path)


@target("tables-npy", lambda: [seeds.vector_array()], npy_form)
def tables_npy(content: bytes, folder: Path) -> Calls:
    yield partial(read_tables, written(folder, "x.npy", content))


@target("tables-npz", seeds.table_zips, zip_form)
def tables_npz(content: bytes, folder: Path) -> Calls:
    yield partial(read_tables, written(folder, "x.npz", content))


@target("questions", seeds.questions, text_form)
def questions(content: bytes, folder: Path) -> Calls:
    path = str(written(folder, "x.txt", content))
    yield partial(find_tests, seeds.WORDS, path, "none")
    yield partial(find_tests, seeds.WORDS, "none", path)


@target("safetensors", seeds.safetensors_files, safetensors_form)
def safetensors(content: bytes, folder: Path) -> Calls:
    path = written(folder, "x.safetensors", content)
    yield partial(_heads_too, path)
    yield partial(read_tables, path, num_heads=2, limit=3)


@target("model-folder", seeds.model_folders, folder_form(), carried=True)
def model_folder(content: bytes, folder: Path) -> Calls:
    lay_out(content, folder)
    yield partial(_heads_too, folder)


@target("model-config", seeds.model_folders, folder_form("config.json"), carried=True)
def model_config(content: bytes, folder: Path) -> Calls:
    lay_out(content, folder)
    yield partial(_heads_too, folder)


@target("tokenizer", seeds.model_folders, folder_form("tokenizer.json", "vocab.json"), carried=True)
def tokenizer(content: bytes, folder: Path) -> Calls:
    lay_out(content, folder)
    yield partial(read_tables, folder)


@target("spacy-folder", seeds.spacy_folders, folder_form(), carried=True)
def spacy_folder(content: bytes, folder: Path) -> Calls:
    lay_out(content, folder)
    yield partial(read_tables, folder)


def _heads_too(path: Path) -> list[Any]:
    tables = read_tables(path)
    return [tables, *tables.heads]


# ---- texts


@target("text-file", seeds.text_files, text_form)
def text_file(content: bytes, folder: Path) -> Calls:
    yield partial(_tokens_of, written(folder, "x.txt", content))


@target("text-folder", seeds.text_folders, folder_form(), carried=True)
def text_folder(content: bytes, folder: Path) -> Calls:
    lay_out(content, folder)
    yield partial(_tokens_of, folder)


@target("vocabulary", seeds.vocabularies, json_form)
def vocabulary(content: bytes, folder: Path) -> Calls:
    try:
        tree = json.loads(content)
    except (ValueError, RecursionError):
        return
    yield partial(_round_trip, tree)


def _tokens_of(path: Path) -> object:
    text = read_corpus(path).text
    for kind in SPLITTERS:
        tokenizer = learn_tokenizer(kind, text)
        tokenizer.decode(tokenizer.encode(text[:1000]).tolist())
    return Vocabulary.of(tokenize(text))


def _round_trip(tree: object) -> object:
    tokenizer = read_tokenizer(tree)
    return tokenizer.decode(range(len(tokenizer))), tokenizer.encode("a \n b")


# ---- runs and bundles


@target("run-record", run_seeds.run_folders, folder_form("run.json"), carried=True)
def run_record(content: bytes, folder: Path) -> Calls:
    run = folder / "run"
    run.mkdir()
    lay_out(content, run)
    yield partial(run_folder.list_runs, folder)
    yield partial(trials.read_run, run)
    yield partial(recorded_threads, run)
    yield partial(trained.unfinished_language, run)
    yield partial(_opened, run, "gan")
    yield partial(_opened, run, "language")


def _opened(run: Path, kind: str) -> object:
    config = run_seeds.configs()[kind]
    with run_folder.RunFolder.open(
        run, config.to_dict(), run_seeds.MADE_BY, complete=config.complete
    ) as found:
        facts = found.facts
        return found.status, found.images_seen, facts, found.config, found.provenance, found.changes


@target("metrics", seeds.metrics_lines, json_lines_form)
def metrics(content: bytes, folder: Path) -> Calls:
    yield partial(metrics_file.read_metrics, written(folder, "metrics.jsonl", content))


@target("latest", lambda: [b"000000640", b"000000320"], plain)
def latest(content: bytes, folder: Path) -> Calls:
    lay_out(run_seeds.run_folders()[0], folder)
    written(folder / "checkpoints", "latest", content)
    yield partial(checkpoint.load_checkpoint, folder)


@target(
    "checkpoint",
    run_seeds.run_folders,
    folder_form(
        *(
            f"checkpoints/000000{n}/{name}"
            for n in (320, 640)
            for name in ("state.json", "tensors.safetensors")
        ),
        seal=run_seeds.seal_run,
    ),
    carried=True,
)
def checkpoint_folder(content: bytes, folder: Path) -> Calls:
    lay_out(content, folder)
    yield partial(checkpoint.load_checkpoint, folder)
    yield partial(trained.load_trained, folder)


def _used(run: Path, kind: str) -> object:
    """What a model answers that may lie in a checkpoint."""
    if kind == "gan":
        return models.load(run).sample(range(2))
    if kind == "classify":
        told = classifier_model.load_classifier(run, device="cpu")
        size, colours = told.network.config.size, told.network.config.colours
        return told.predict(torch.zeros(1, colours, size, size, dtype=torch.uint8))
    return language_models.load_language(run, device="cpu").generate(length=3)


_KEPT = ("run.json", "metrics.jsonl", "score.json", "checkpoints/latest")


for _kind, _steps in (("gan", 16), ("classify", 16), ("language", 64)):

    @target(
        f"resume-{_kind}",
        partial(run_seeds.stopped_runs, _kind),
        folder_form(*_KEPT, f"checkpoints/{_steps:09d}/state.json", seal=run_seeds.seal_run),
        carried=True,
    )
    def resume(content: bytes, folder: Path, kind: str = _kind) -> Calls:
        (folder / "run").mkdir()
        lay_out(content, folder / "run")
        yield partial(run_seeds.resumed, kind, folder)

    @target(
        f"unfinished-{_kind}",
        partial(run_seeds.stopped_runs, _kind),
        folder_form(
            "run.json",
            "checkpoints/latest",
            f"checkpoints/{_steps:09d}/state.json",
            f"checkpoints/{_steps:09d}/tensors.safetensors",
            seal=run_seeds.seal_run,
        ),
        carried=True,
    )
    def unfinished(content: bytes, folder: Path, kind: str = _kind) -> Calls:
        (folder / "run").mkdir()
        lay_out(content, folder / "run")
        yield partial(run_folder.list_runs, folder)
        yield partial(_used, folder / "run", kind)


@target(
    "bundle",
    lambda: run_seeds.bundles("generator"),
    folder_form("config.json", "generator.safetensors", seal=run_seeds.seal_bundle),
    carried=True,
)
def bundle(content: bytes, folder: Path) -> Calls:
    lay_out(content, folder)
    yield partial(_images_of, folder)
    yield partial(analyses.is_trained, folder)


@target(
    "classifier",
    lambda: run_seeds.bundles("classifier"),
    folder_form("config.json", "classifier.safetensors", seal=run_seeds.seal_bundle),
    carried=True,
)
def classifier(content: bytes, folder: Path) -> Calls:
    lay_out(content, folder)
    yield partial(classifier_model.load_classifier, folder)


@target(
    "language-model",
    lambda: run_seeds.bundles("language"),
    folder_form(
        "config.json", "language.safetensors", "vocabulary.json", seal=run_seeds.seal_bundle
    ),
    carried=True,
)
def language_model(content: bytes, folder: Path) -> Calls:
    lay_out(content, folder)
    yield partial(_continued, folder)


def _images_of(folder: Path) -> object:
    return models.load(folder).sample([0])


def _continued(folder: Path) -> object:
    return language_models.load_language(folder).generate("a", length=2)


@target("onnx", run_seeds.onnx_files, plain)
def onnx(content: bytes, folder: Path) -> Calls:
    yield partial(_drawn, written(folder, "x.onnx", content))


def _drawn(path: Path) -> object:
    return load_exported(path, threads=1).sample([0])


# ---- settings, words of the command line, comparisons


for _suffix, _form in ((".json", json_form), (".yaml", text_form), (".toml", text_form)):

    @target(f"config{_suffix}", partial(run_seeds.config_files, _suffix), _form)
    def config_file(content: bytes, folder: Path, suffix: str = _suffix) -> Calls:
        path = written(folder, f"x{suffix}", content)
        yield partial(read_config_file, path)
        for config in run_seeds.configs().values():
            yield partial(_laid_over, config, path)


def _laid_over(config: Any, path: Path) -> object:
    return config.merge(read_config_file(path))


@target("settings", run_seeds.settings_lines, text_form)
def settings(content: bytes, folder: Path) -> Calls:
    for line in _words(content):
        for config in run_seeds.configs().values():
            yield partial(config.evolve, line)


@target("amounts", run_seeds.command_words, text_form)
def command_words(content: bytes, folder: Path) -> Calls:
    for line in _words(content):
        yield partial(amounts.parse_minutes, line)
        yield partial(amounts.parse_count, line)
        yield partial(amounts.parse_numbers, line)
        yield partial(_rule, line)
        yield partial(_varied, line)
        yield partial(class_indices, line, ("cats", "10", "a, b"), 3)
        yield partial(class_indices, line, (), 3)


def _words(content: bytes) -> list[str]:
    """What a command line holds: no zero bytes; bytes that are no text come as surrogates."""
    return content.replace(b"\0", b"").decode("utf-8", "surrogateescape").split("\n")[:8]


def _varied(line: str) -> object:
    return variants.checked_vary(variants.parse_vary([line]))


@target("comparison", run_seeds.comparison_folders, folder_form(), carried=True)
def comparison(content: bytes, folder: Path) -> Calls:
    lay_out(content, folder)
    yield partial(record.read_plan, folder)
    yield partial(_compared, folder)


@target("plan", run_seeds.plans, folder_form(), carried=True)
def plan(content: bytes, folder: Path) -> Calls:
    out = folder / "out"
    out.mkdir()
    lay_out(content, out)
    for path in filter(Path.is_file, list(out.iterdir())):
        path.write_bytes(path.read_bytes().replace(run_seeds.HERE, bytes(folder)))
    yield partial(run_seeds.planned, folder)


def _compared(folder: Path) -> object:
    return compare(str(folder), show_progress=False).to_dict()

"""Whatever stands in the files of a run or a bundle, the end is a result or one sentence of ours.

`FOREIGN_FILES=2000 pytest tests/property/test_foreign_files.py` tries so many damages of each file.
"""

from __future__ import annotations

import json
import os
import shutil
import time
import traceback
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from mutations import mutated, resealed

import orthogan
from orthogan.cli import main
from orthogan.errors import OrthoganError
from orthogan.network_tables import read_network
from orthogan.training.run_folder import list_runs

OLD = Path(__file__).parents[1] / "fixtures" / "version-0.1"
NUM_DAMAGES = int(os.environ.get("FOREIGN_FILES", "2"))
MOST_SECONDS = 10.0  # of the processor; each takes a fraction of one
MOST_CHARACTERS = 1000


def resume(train: Callable[..., Any], run: str, source: str) -> Callable[[Path], object]:
    def again(root: Path) -> object:
        # The settings are those of the healthy copy: what was typed, not what was damaged.
        settings = OLD / run / "run.json"
        config = root / "settings.json"
        config.write_text(_config_of(settings))
        return train(
            root / source, run=root / run, config=config, device="cpu", show_progress=False
        )

    return again


def _config_of(record: Path) -> str:
    return json.dumps(json.loads(record.read_text())["config"])


def listed(root: Path) -> object:
    code = main(["runs", str(root)]) or main(["runs", str(root), "--json"])
    assert code == 0
    return list_runs(root)


def sampled(root: Path) -> object:
    return orthogan.load(root / "gan").sample(range(3))


def evaluated(root: Path) -> object:
    model = orthogan.load(root / "gan")
    return orthogan.evaluate(model, root / "blobs.npz", metrics=["recall"], num_images=40)


def classified(root: Path) -> object:
    told = orthogan.load_classifier(root / "classifier", device="cpu")
    return told.score(root / "blobs.npz")


def continued(root: Path) -> object:
    return orthogan.load_language(root / "language", device="cpu").generate("the", length=5)


def looked_into(root: Path) -> object:
    return read_network(root / "gan-stopped", limit=20)


GAN = resume(orthogan.train, "gan-stopped", "blobs.npz")
DONE_GAN = resume(orthogan.train, "gan", "blobs.npz")
CLASSIFIER = resume(orthogan.classify, "classifier-stopped", "blobs.npz")
DONE_CLASSIFIER = resume(orthogan.classify, "classifier", "blobs.npz")
LANGUAGE = resume(orthogan.train_language, "language-stopped", "rhyme.txt")
DONE_LANGUAGE = resume(orthogan.train_language, "language", "rhyme.txt")
STATE = "checkpoints/000000320/state.json"
USES: dict[str, tuple[Callable[[Path], object], ...]] = {
    "gan/bundle/config.json": (sampled, evaluated),
    "classifier/bundle/config.json": (classified,),
    "language/bundle/config.json": (continued,),
    "language/bundle/vocabulary.json": (continued,),
    "gan/run.json": (listed, DONE_GAN),
    "gan-stopped/run.json": (listed, looked_into, GAN),
    "classifier-stopped/run.json": (CLASSIFIER,),
    "language-stopped/run.json": (LANGUAGE,),
    "gan-stopped/metrics.jsonl": (GAN,),
    f"gan-stopped/{STATE}": (looked_into, GAN),
    f"classifier-stopped/{STATE}": (CLASSIFIER,),
    "language-stopped/checkpoints/000003200/state.json": (LANGUAGE,),
    "gan-stopped/checkpoints/latest": (GAN,),
    "classifier/score.json": (DONE_CLASSIFIER,),
    "language/score.json": (DONE_LANGUAGE,),
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(OLD, tmp_path_factory.mktemp("foreign") / "old"))


def problem_of(use: Callable[[Path], object], root: Path) -> str:
    """What is wrong with how a use of damaged files ended; empty if nothing is."""
    started = time.process_time()
    try:
        use(root)
    except OrthoganError as error:
        sentence = str(error)
        if not 0 < len(sentence) < MOST_CHARACTERS or error.exit_code not in (2, 3, 4, 6):
            return f"exit {error.exit_code} with {len(sentence)} characters: {sentence[:200]}"
    except Exception:  # noqa: BLE001 - the very thing that is looked for
        return traceback.format_exc()
    spent = time.process_time() - started
    return f"{spent:.1f} s" if spent > MOST_SECONDS else ""


@pytest.mark.parametrize("name", USES)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_no_foreign_exception_escapes(root: Path, name: str, capsys, one_thread: None) -> None:
    healthy = (OLD / name).read_bytes()
    run = name.split("/")[0]
    problems = []
    for number in range(NUM_DAMAGES):
        seed = zlib.crc32(f"{name} {number}".encode())
        damaged = mutated(healthy, seed)
        if name.endswith("state.json") and number % 2:
            damaged = resealed(damaged)
        for use in USES[name]:
            shutil.rmtree(root / run)
            shutil.copytree(OLD / run, root / run)
            (root / name).write_bytes(damaged)
            problem = problem_of(use, root)
            if problem:
                problems.append(f"{name}, damage {number}: {damaged[:300]!r}\n{problem}")
    torch.set_num_threads(1)
    shutil.rmtree(root / run)
    shutil.copytree(OLD / run, root / run)
    assert not problems, "\n\n".join(problems)

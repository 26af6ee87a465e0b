"""A language run: same bits, every setting does something, stopped, resumed, refused."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from disturbances import EACH_STEP, NEVER, Killed

from orthogan import rng
from orthogan.errors import DataError, DivergedError, ResumeError
from orthogan.language import api as language_models
from orthogan.language.split import load_split
from orthogan.language.trainer import LanguageTrainer
from orthogan.models.bundle import load_bundle
from orthogan.models.bundle.tensors import digest, pack
from orthogan.training import session as sitting
from orthogan.training.checkpoint import load_checkpoint
from orthogan.training.precision import has_native_bfloat16
from orthogan.training.run_folder import read_metrics
from orthogan.training.run_list import list_runs

CPU = torch.device("cpu")
STEP = 32  # 4 pieces of 8 tokens
PRECISIONS = ["float32"] + ["bfloat16"] * has_native_bfloat16(CPU)

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def make(tiny_text: Path, tiny_language: tuple[str, ...]) -> Callable[..., LanguageTrainer]:
    def trainer(*settings: str, seed: int = 0) -> LanguageTrainer:
        config = language_models.resolve_language(
            tiny_text, tokens=640, seed=seed, settings=(*tiny_language, *settings)
        )
        split = load_split(config.data, config.network.context)
        return LanguageTrainer(config, split.train, CPU)

    return trainer


def advance(trainer: LanguageTrainer, steps: int) -> LanguageTrainer:
    for _ in range(steps):
        trainer.step((trainer.images_seen + STEP) / 640)
    return trainer


def bits(trainer: LanguageTrainer) -> str:
    return digest(pack(trainer.tensors()))


# ---- the trainer


def test_the_seed_decides_every_bit_and_no_global_generator_is_touched(make) -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    first = bits(advance(make(), 2))
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(4)
    assert bits(advance(make(), 2)) == first
    assert bits(advance(make(seed=1), 2)) != first


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("kind", ["muon", "adamw"])
def test_a_restored_trainer_continues_bit_for_bit(make, kind: str, precision: str) -> None:
    settings = (f"precision={precision}", f"optimizer.kind={kind}", "network.embedding=4")
    settings += ("network.positions=untied",)
    whole = advance(make(*settings), 5)
    tensors = {name: tensor.clone() for name, tensor in whole.tensors().items()}
    state = json.loads(json.dumps(whole.state()))
    advance(whole, 4)
    rest = make(*settings)
    rest.restore(tensors, state)
    assert rest.images_seen == 5 * STEP
    assert bits(advance(rest, 4)) == bits(whole)


def test_pieces_are_of_the_text_and_depend_on_the_count_alone(make) -> None:
    trainer = make()
    text = "".join(map(str, trainer.tokens.tolist()))
    pieces = trainer.batch()
    assert pieces.shape == (4, 9)
    for piece in pieces.tolist():
        assert "".join(map(str, piece)) in text
    assert not torch.equal(advance(trainer, 1).batch(), pieces)
    trainer.images_seen = 0
    assert torch.equal(trainer.batch(), pieces)
    assert not torch.equal(make(seed=1).batch(), pieces)
    starts = rng.stream(0, "pieces", 0).integers(0, len(trainer.tokens) - 8, 4)
    assert pieces[:, 0].tolist() == trainer.tokens[torch.from_numpy(starts)].tolist()


@pytest.mark.parametrize(
    "setting",
    [
        "optimizer.kind=adamw",
        "optimizer.learning_rate=1e-4",
        "optimizer.warm_up=0.5",
        "optimizer.final_share=1",
        "optimizer.beta1=0.5",
        "optimizer.beta2=0.9",
        "optimizer.largest_gradient=1e-6",
        "batch_size=8",
        "precision=bfloat16",
        "data.tokenizer=bytes",
        "data.tokenizer=words",
        "data.min_count=100",
        "data.held_out=0.3",
        "network.context=6",
        "network.score=relu",
        "network.keys=values",
        "network.positions=learned",
        "network.embedding=4",
    ],
)
def test_every_setting_changes_what_is_learned(make, setting: str) -> None:
    usual = make("precision=float32")
    changed = make("precision=float32", setting)
    assert bits(advance(changed, 3)) != bits(advance(usual, 3))


def test_weight_decay_pulls_the_matrices_of_adamw_alone(make) -> None:
    nets = [
        advance(make("optimizer.kind=adamw", f"optimizer.weight_decay={pull}"), 1).network
        for pull in (0.0, 5.0)
    ]
    free, pulled = (dict(net.named_parameters()) for net in nets)
    changed = {name for name in free if not torch.equal(free[name], pulled[name])}
    assert changed == {
        f"blocks.0.{part}.weight"
        for part in (
            "attention.query", "attention.key_value", "attention.output", "dense.expand",
            "dense.contract",
        )
    }  # fmt: skip


def test_every_token_is_predicted_from_those_before_it(make) -> None:
    trainer = advance(make("precision=float32"), 5)
    pieces = trainer.batch()
    with torch.no_grad():
        shares = trainer.network(pieces[:, :-1]).softmax(2)
    wanted = -shares.gather(2, pieces[:, 1:, None]).log2().mean()
    assert trainer.step(0.5).numbers()["bits"] == pytest.approx(float(wanted), rel=1e-5)


def test_the_loss_falls_on_a_small_text(make) -> None:
    trainer = make("network.width=16", "optimizer.learning_rate=0.02")
    first = trainer.step(0.1).numbers()["bits"]
    last = [trainer.step(0.1).numbers()["bits"] for _ in range(25)][-1]
    assert first > 2.5
    assert last < 0.75 * first


def test_what_is_not_finite_stops_before_the_weights(make) -> None:
    trainer = advance(make(), 1)
    with torch.no_grad():
        trainer.network.bias[0] = float("nan")
    before = trainer.network.embedding.weight.clone()
    with pytest.raises(DivergedError, match=r"lower optimizer\.learning_rate"):
        trainer.step(0.5)
    assert torch.equal(trainer.network.embedding.weight, before)


# ---- the run


def at_step(monkeypatch: pytest.MonkeyPatch, number: int, action: Any) -> None:
    """Does something once, right after the `number`-th step."""
    step, fired = LanguageTrainer.step, []

    def stepped(trainer: LanguageTrainer, progress: float) -> Any:
        record = step(trainer, progress)
        if trainer.images_seen == STEP * number and not fired:
            fired.append(True)
            action(trainer)
        return record

    monkeypatch.setattr(LanguageTrainer, "step", stepped)


def die(_trainer: LanguageTrainer) -> None:
    raise Killed


def final_bits(run: Path) -> tuple[bytes, bytes]:
    last = run / "checkpoints" / (run / "checkpoints" / "latest").read_text()
    weights = run / "bundle" / "language.safetensors"
    return weights.read_bytes(), (last / "tensors.safetensors").read_bytes()


def record(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "run.json").read_text())
    return found


def test_a_finished_run_leaves_everything(
    learn_tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.setattr(sitting, "METRICS_EVERY_S", 0.0)
    monkeypatch.setattr(sitting, "SHOW_EVERY_S", 0.0)
    path = tmp_path / "runs" / "mine"
    run = learn_tiny(path, "score_every_s=1e-6", "data.min_count=2", show_progress=True)
    assert (run.path, run.status, run.tokens_seen) == (path, "done", 640)
    assert run.reason.startswith("Done: the budget is used up after 640 tokens")
    assert run.next_command == f"orthogan generate {path}"
    assert set(run.scores) == {"bits_per_character", "held-out tokens"}
    written = record(path)
    assert (written["status"], written["scores"]) == ("done", run.scores)
    assert (written["unit"], written["images_seen"]) == ("tokens", 640)
    assert written["config"]["network"]["vocabulary"] == 12
    score = json.loads((path / "score.json").read_text())
    assert score == run.score
    own = score["scores"]["bits_per_character"]
    assert own["low"] < own["value"] < own["high"]
    assert own["value"] == score["bits_per_token"] == run.scores["bits_per_character"]
    assert own["n"] == run.scores["held-out tokens"] > 200
    records = read_metrics(path / "metrics.jsonl")
    steps = [line for line in records if line["event"] == "step"]
    assert [line["tokens_seen"] for line in steps] == list(range(32, 641, 32))
    assert all(np.isfinite(line["bits"]) for line in steps)
    assert sum(line["event"] == "score" for line in records) == 20
    bundle = load_bundle(path / "bundle", "language")
    assert len(bundle.vocabulary["entries"]) == bundle.data["vocabulary"] == 12
    assert (path / "sample.txt").read_text().strip()
    assert "| tokens |" in (path / "bundle" / "README.md").read_text()
    assert list_runs(path.parent)[0].status == "done"
    said = capsys.readouterr().err
    assert "Vocabulary: 12 characters." in said
    assert "bits per character on " in said
    assert " tokens  " in said
    assert " left  " in said


def test_stopped_twice_and_resumed_gives_the_same_bits(
    learn_tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learn_tiny(tmp_path / "whole")
    for number, kind in [(3, signal.SIGINT), (11, signal.SIGTERM)]:
        with monkeypatch.context() as patch:
            at_step(patch, number, lambda _, kind=kind: os.kill(os.getpid(), kind))
            run = learn_tiny(tmp_path / "parts", EACH_STEP)
        assert run.status == ("preempted" if kind == signal.SIGTERM else "interrupted")
        assert run.reason == f"Stopped at {STEP * number} tokens; everything is saved."
        assert run.next_command == f"orthogan language --run {tmp_path / 'parts'}"
        assert run.score == {}
    assert learn_tiny(tmp_path / "parts", "score_every_s=1e-6").status == "done"
    assert final_bits(tmp_path / "parts") == final_bits(tmp_path / "whole")


@pytest.mark.parametrize(("setting", "kept"), [(EACH_STEP, 12), (NEVER, 0)])
def test_a_killed_run_goes_on_from_its_last_checkpoint(
    learn_tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str, kept: int
) -> None:
    with monkeypatch.context() as patch:
        at_step(patch, 13, die)
        with pytest.raises(Killed):
            learn_tiny(tmp_path / "run", setting)
    checkpoint = load_checkpoint(tmp_path / "run")
    assert checkpoint is not None
    assert checkpoint.images_seen == STEP * kept
    assert learn_tiny(tmp_path / "run").status == "done"  # how often to save may change


def test_a_run_from_before_a_setting_was_there_goes_on(learn_tiny, tmp_path: Path) -> None:
    first = learn_tiny(tmp_path / "run", tokens=32)
    written = record(tmp_path / "run")
    del written["config"]["optimizer"]["kind"]
    (tmp_path / "run" / "run.json").write_text(json.dumps(written))
    again = learn_tiny(tmp_path / "run", tokens=32)
    assert (again.status, again.seconds) == ("done", first.seconds)


def test_a_diverged_run_keeps_its_checkpoint(
    learn_tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def plant_nan(trainer: LanguageTrainer) -> None:
        with torch.no_grad():
            trainer.network.bias[0] = float("nan")

    at_step(monkeypatch, 5, plant_nan)
    with pytest.raises(DivergedError, match=r"Diverged at 160 tokens: .* checkpoint at 0 tokens"):
        learn_tiny(tmp_path / "run", NEVER)
    assert record(tmp_path / "run")["status"] == "diverged"


def test_a_finished_run_is_left_alone_and_another_is_refused(
    learn_tiny, tiny_text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = tmp_path / "mine.txt"
    mine.write_bytes(tiny_text.read_bytes())
    first = learn_tiny(tmp_path / "run", source=mine, tokens=32)
    monkeypatch.setattr(LanguageTrainer, "step", die)
    again = learn_tiny(tmp_path / "run", source=mine, tokens=32)
    assert (again.status, again.score, again.seconds) == ("done", first.score, first.seconds)
    assert "is already trained to the end of its budget" in again.reason
    with pytest.raises(ResumeError, match=r"network\.score softmax -> none"):
        learn_tiny(tmp_path / "run", "network.score=none", source=mine, tokens=32)
    mine.write_text(mine.read_text().replace("mat", "hat", 1))
    with pytest.raises(ResumeError, match=r"vocabulary|was trained on other data"):
        learn_tiny(tmp_path / "run", source=mine, tokens=32)


def test_a_short_time_budget(learn_tiny, tmp_path: Path) -> None:
    run = learn_tiny(tmp_path / "run", minutes=0.3 / 60)
    assert run.status == "done"
    assert run.seconds >= 0.3
    assert run.tokens_seen > 0


def test_a_text_that_is_too_short_leaves_no_folder(learn_tiny, tmp_path: Path) -> None:
    (tmp_path / "short.txt").write_text("brief")
    with pytest.raises(DataError, match="are too few"):
        learn_tiny(tmp_path / "run", source=tmp_path / "short.txt")
    assert not (tmp_path / "run").exists()

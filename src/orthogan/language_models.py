"""The Python face of `orthogan language`: train a language model, load one, let it go on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from orthogan import bundle, rng
from orthogan.errors import ConfigError
from orthogan.language.config import LanguageBudgetConfig, LanguageConfig, without_effect
from orthogan.language.corpus import read_corpus, settled_source
from orthogan.language.generation import check_generation, continue_tokens
from orthogan.language.lesson import Lesson, load_lesson
from orthogan.language.scoring import LanguageScore, LanguageScoreShape, score_text
from orthogan.language.session import LanguageSession
from orthogan.language.tables import network_of, tables_of_network, tokeniser_of
from orthogan.language.tokeniser import Tokeniser, check_text
from orthogan.language.trainer import LanguageTrainer
from orthogan.language.transformer import LanguageTransformer
from orthogan.request import laid_over, open_run, pick_device, set_threads
from orthogan.tables import Tables
from orthogan.terminal import pasteable
from orthogan.training.precision import resolve_precision
from orthogan.training.progress import ProgressDisplay
from orthogan.training.run_folder import RunFolder


@dataclass(frozen=True, kw_only=True)
class LanguageRun:
    """A language run that has stopped: where it is, how it went, why it stopped.

    `score` is empty until the run is done; then it is what `LanguageScore.to_dict` returns.
    """

    path: Path
    status: str
    reason: str
    next_command: str
    tokens_seen: int
    seconds: float
    scores: dict[str, float]
    score: dict[str, Any]

    def model(self) -> LanguageModel:
        """The trained model, ready to go on from a text.

        Raises:
            BundleError: the run is not done.
        """
        return load_language(self.path)

    def to_dict(self) -> dict[str, Any]:
        """Plain values; `json.dumps` takes it."""
        return vars(self) | {"path": str(self.path)}


@dataclass(frozen=True, kw_only=True)
class LanguageModel:
    """A trained language model."""

    network: LanguageTransformer
    tokeniser: Tokeniser
    data: dict[str, Any]
    card: dict[str, Any]
    path: Path
    sha256: str

    def generate(
        self,
        prompt: str = "",
        *,
        length: int = 200,
        seed: int = 0,
        temperature: float = 1.0,
        top: int | None = None,
    ) -> str:
        """What follows the prompt, the same for the same seed; the prompt is not part of it.

        Args:
            prompt: The beginning; empty for a text that starts after a line end.
            length: How many tokens follow.
            seed: Of the draws.
            temperature: Below 1 the likely become likelier; 0 always takes the likeliest.
            top: Draw from so many of the likeliest tokens only; None from all.

        Raises:
            ConfigError: a number is out of its range, or the prompt is not Unicode text.
            DataError: a part of the prompt is not in a vocabulary without an unknown token.
        """
        check_generation(length, temperature, top)
        check_text(prompt, "the prompt", ConfigError)
        tokens = self.tokeniser.encode(prompt)
        if len(tokens) == 0:
            tokens = self._beginning()
        follows = continue_tokens(
            self.network,
            tokens,
            length,
            seed=seed,
            temperature=temperature,
            top=top,
            never=self.tokeniser.unknown,
        )
        return self.tokeniser.decode(follows.tolist())

    def score(self, source: str | Path) -> LanguageScore:
        """The score on all of another text; its baseline are the text's own frequencies.

        Raises:
            DataError: the text cannot be read, or has fewer than two tokens.
        """
        tokens = self.tokeniser.encode(read_corpus(source).text)
        return score_text(self.network, tokens, tokens, self.tokeniser)

    def attention(self, text: str) -> Tensor:
        """How each token weighs itself and those before it, `M N T T`: block, head, query, key.

        Raises:
            ShapeError: the text has no tokens, or more than the context holds.
        """
        tokens = self.tokeniser.encode(text)[None].to(self.network.embedding.weight.device)
        maps: Tensor = self.network.attention_maps(tokens)[0]
        return maps

    def tables(self, *, limit: int | None = None) -> Tables:
        """Token vectors, position codes and Wq, Wk, Wv, as the laboratory of embeddings reads them.

        Raises:
            ConfigError: `limit` is below 1.
        """
        return tables_of_network(self.network, self.tokeniser, source=str(self.path), limit=limit)

    def _beginning(self) -> Tensor:
        """A line end or a full stop where there is one, else the most frequent token."""
        entries = self.tokeniser.entries
        known = next((entry for entry in ("\n", ".") if entry in entries), entries[1])
        return torch.tensor([entries.index(known)])


def resolve_language(
    source: str | Path | None = None,
    *,
    minutes: float | None = None,
    tokens: int | None = None,
    seed: int | None = None,
    settings: Sequence[str] = (),
    config: Path | str | None = None,
    tokeniser: str | None = None,
) -> LanguageConfig:
    """The configuration that `train_language` with the same arguments would run.

    Raises:
        ConfigError: a setting is unknown, does not fit, or clashes with another.
        DataError: the text cannot be loaded, or is too short.
    """
    asked = _asked(source, minutes, tokens, seed, settings, config, tokeniser)
    return _fitted(asked, load_lesson(asked.data, asked.network.context), pick_device("auto"))


def train_language(
    source: str | Path | None = None,
    *,
    minutes: float | None = None,
    tokens: int | None = None,
    run: Path | str | None = None,
    seed: int | None = None,
    device: str = "auto",
    threads: int | None = None,
    settings: Sequence[str] = (),
    config: Path | str | None = None,
    tokeniser: str | None = None,
    show_progress: bool = True,
) -> LanguageRun:
    """Train a language model, or go on with a run that was stopped; the same arguments resume it.

    Args:
        source: A text file, a folder of .txt files, or the name of a corpus.
        minutes: Time budget; 5 if neither this nor `tokens` is given.
        tokens: Budget in tokens predicted; such runs repeat bit for bit.
        run: Run folder; `runs/<text>-language-<seed>` by default.
        seed: Seed of every draw; 0 by default.
        device: `auto`, `cpu`, `cuda` or `mps`.
        threads: CPU threads; a resumed run takes as many as it had.
        settings: Changes such as `"network.width=64"`.
        config: File of settings.
        tokeniser: `characters` (the default), `bytes` or `words`.
        show_progress: Show progress on stderr.

    Raises:
        ConfigError: a setting is unknown, does not fit, or clashes with another.
        DataError: the text cannot be loaded, or is too short.
        ResumeError: the run folder holds another run.
        DivergedError: training broke down; the last healthy checkpoint is kept.
        StorageError: the run folder cannot be written.
    """
    asked = _asked(source, minutes, tokens, seed, settings, config, tokeniser)
    path = Path(run) if run is not None else _default_run(asked)
    place = pick_device(device)
    about_threads = set_threads(threads, path)
    lesson = load_lesson(asked.data, asked.network.context)
    settled = _fitted(asked, lesson, place)
    with open_run(path, settled, place, lesson.fingerprint) as folder:
        display = ProgressDisplay(path.name, show_progress)
        sentences = (*lesson.notes, *without_effect(settled), *folder.changes, *about_threads)
        for sentence in sentences:
            display.note(sentence)
        if folder.status == "done":
            return _stopped(folder, "done", f"{path} is already trained to the end of its budget.")
        trainer = LanguageTrainer(settled, lesson.train, place)
        return _stopped(folder, *LanguageSession(trainer, folder, display, lesson).train())


def load_language(
    source: str | Path, *, device: str = "auto", threads: int | None = None
) -> LanguageModel:
    """A trained language model.

    Args:
        source: A run folder, or a bundle folder.
        device: Where it runs: `auto`, `cpu`, `cuda` or `mps`.
        threads: CPU threads of this process from now on; unchanged if None.

    Raises:
        BundleError: damaged, newer than this version, or not a language model.
        UnknownNameError: nothing of that name.
    """
    place = pick_device(device)
    torch.set_num_threads(threads or torch.get_num_threads())
    stored = bundle.load_language(bundle.resolve(source))
    return LanguageModel(
        network=network_of(stored).to(place),
        tokeniser=tokeniser_of(stored),
        data=stored.data,
        card=stored.card,
        path=stored.path,
        sha256=stored.sha256,
    )


def _asked(
    source: str | Path | None,
    minutes: float | None,
    tokens: int | None,
    seed: int | None,
    settings: Sequence[str],
    config: Path | str | None,
    tokeniser: str | None,
) -> LanguageConfig:
    if minutes is not None and tokens is not None:
        raise ConfigError("A time budget and a token budget exclude one another; give one.")
    budget = None if tokens is None else LanguageBudgetConfig(tokens=tokens)
    if minutes is not None:
        budget = LanguageBudgetConfig(seconds=60 * minutes)
    facts = {"source": source, "tokeniser": tokeniser}
    asked = laid_over(LanguageConfig(), config, seed, budget, facts, settings)
    if not asked.data.source:
        raise ConfigError("Name the text to learn from: a file or a folder of .txt files.")
    # A run is looked at from other folders than the one it was started in.
    return asked.evolve(data=asked.data.to_dict() | {"source": settled_source(asked.data.source)})


def _fitted(config: LanguageConfig, lesson: Lesson, device: torch.device) -> LanguageConfig:
    settled = config.evolve(
        network=config.network.evolve(vocabulary=len(lesson.tokeniser)).to_dict(),
        precision=resolve_precision(config.precision, device),
    )
    # What only building tells, such as heads that do not divide a width, is told before a run.
    with rng.initialisation(config.seed, "check"):
        settled.network.build()
    return settled


def _default_run(config: LanguageConfig) -> Path:
    name = Path(config.data.source).stem or "text"
    return Path("runs") / f"{name}-language-{config.seed}"


def _stopped(folder: RunFolder, status: str, reason: str) -> LanguageRun:
    facts, done = folder.facts, status == "done"
    return LanguageRun(
        path=folder.path,
        status=status,
        reason=reason,
        next_command=(
            pasteable(["orthogan", "generate", folder.path])
            if done
            else "repeat the same command to go on."
        ),
        tokens_seen=folder.images_seen,
        seconds=float(facts.get("seconds", 0.0)),
        scores=dict(facts.get("scores", {})),
        score=folder.score(LanguageScoreShape) if done else {},
    )

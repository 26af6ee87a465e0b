"""One session of a language run: to the end of its budget, or to a stop."""

from __future__ import annotations

from typing import Any

from orthogan.files import write_atomic, write_json
from orthogan.language.generation import continue_tokens
from orthogan.language.scoring import LanguageScore, score_text
from orthogan.language.split import Split
from orthogan.language.trainer import LanguageTrainer
from orthogan.models.bundle import save_bundle
from orthogan.training.duration import duration
from orthogan.training.progress import ProgressDisplay
from orthogan.training.run_folder import RunFolder
from orthogan.training.session import Session

LIVE_PIECES = 64  # of a live score: as many tokens as one or two steps
SAMPLE_TOKENS = 300
SAMPLE_FILE = "sample.txt"
UNITS = {
    "bits_per_character": "bits per character",
    "bits_per_byte": "bits per byte",
    "perplexity": "perplexity per word",
}


class LanguageSession(Session[LanguageTrainer]):
    """Drives a trainer: checkpoints, live scores, the final score, and why it stopped.

    Args:
        trainer: What is trained.
        run: Where it is written down.
        display: What a person sees.
        split: The images or text to train on and to score on, and what the tokens mean.
    """

    unit = "tokens"
    part = "network"

    def __init__(
        self, trainer: LanguageTrainer, run: RunFolder, display: ProgressDisplay, split: Split
    ) -> None:
        super().__init__(trainer, trainer.config.budget, run, display)
        self.config, self.split = trainer.config, split

    def measure(self) -> None:
        """Score the network on some pieces of the held-out text, spread evenly over it."""
        score = self._score(LIVE_PIECES)
        self.display.note(
            f"{duration(self.clock.elapsed_s):>12}  {self.trainer.images_seen:>11,} tokens  "
            f"{score.value:.3f} {UNITS[score.name]} on {score.num_tokens:,} held-out tokens"
        )

    def _score(self, most_pieces: int | None) -> LanguageScore:
        split, network = self.split, self.trainer.network
        score = score_text(
            network, split.test, split.train, split.tokenizer, most_pieces=most_pieces
        )
        self._keep_scores({score.name: score.value, "held-out tokens": float(score.num_tokens)})
        return score

    def _place(self) -> dict[str, Any]:
        seen = self.trainer.images_seen
        return {"images_seen": seen, "tokens_seen": seen}

    def _facts(self) -> dict[str, Any]:
        return super()._facts() | {"unit": self.unit}

    def _finish(self) -> None:
        with self.stop.at_once():
            score = self._score(None)
        self.checkpoint()
        write_json(self.run.path / "score.json", score.to_dict())
        write_atomic(self.run.path / SAMPLE_FILE, self._sample().encode())
        self._save_bundle(score)

    def _sample(self) -> str:
        """Text that goes on from the first held-out token."""
        tokenizer = self.split.tokenizer
        tokens = continue_tokens(
            self.trainer.network,
            self.split.test[:1],
            SAMPLE_TOKENS,
            seed=self.config.seed,
            never=tokenizer.unknown,
        )
        return tokenizer.decode(tokens.tolist()) + "\n"

    def _save_bundle(self, score: LanguageScore) -> None:
        card = self._card(score.to_dict()["scores"])
        weights = self.trainer.network.state_dict()
        save_bundle(self.run.bundle_path, tensors=weights, card=card, **self._description())

    def _description(self) -> dict[str, Any]:
        config, split = self.config, self.split
        return {
            "role": "language",
            "network_config": config.network.to_dict(),
            "vocabulary": split.tokenizer.to_dict(),
            "data": {
                "source": config.data.source,
                "tokeniser": config.data.tokenizer,
                "vocabulary": len(split.tokenizer),
                "fingerprint": self.run.provenance["data_fingerprint"],
                "held_out": config.data.held_out,
            },
        }

    @property
    def _summary(self) -> str:
        return f"A language model trained by orthogan on {self.config.data.source}."

    def _bar_words(self, measured: dict[str, float]) -> str:
        facts = [f"{measured['bits']:.3f} bits a token"]
        name = self.split.tokenizer.score
        if name in self.scores:
            facts.append(f"held out {self.scores[name]:.3f} {UNITS[name]}")
        return "  ".join(facts)

"""One session of a classification run: to the end of its budget, or to a stop."""

from __future__ import annotations

from collections import Counter
from typing import Any

import torch

from orthogan.classification.attention_picture import draw_attention
from orthogan.classification.examples import Examples, Split
from orthogan.classification.passes import probabilities
from orthogan.classification.scoring import ClassifierScore, score_answers
from orthogan.classification.trainer import ClassifierTrainer
from orthogan.files import write_atomic, write_json
from orthogan.images.encoding import png
from orthogan.models.bundle import save_bundle
from orthogan.training.duration import duration
from orthogan.training.progress import ProgressDisplay
from orthogan.training.run_folder import RunFolder
from orthogan.training.session import Session

NUM_LIVE = 1000  # images of a live score: about a third of a second, and an error of one per cent
NUM_DRAWN = 10


class ClassificationSession(Session[ClassifierTrainer]):
    """Drives a trainer: checkpoints, live scores, the final score, and why it stopped.

    Args:
        trainer: What is trained.
        run: Where it is written down.
        display: What a person sees.
        split: The images or text to train on and to score on, and what the labels mean.
    """

    def __init__(
        self, trainer: ClassifierTrainer, run: RunFolder, display: ProgressDisplay, split: Split
    ) -> None:
        super().__init__(trainer, trainer.config.budget, run, display)
        self.config, self.split = trainer.config, split

    def measure(self) -> None:
        """Score the averaged network on some of the test images, spread evenly over them."""
        test = self.split.test
        index = torch.linspace(0, len(test) - 1, min(NUM_LIVE, len(test))).long()
        score = self._score(index)
        self._keep_scores({"accuracy": score.accuracy, "test images": float(score.num_images)})
        self.display.note(
            f"{duration(self.clock.elapsed_s):>12}  {self.trainer.images_seen:>9,} images  "
            f"accuracy {score.accuracy:.2%} of {score.num_images:,} test images"
        )

    def _score(self, index: torch.Tensor) -> ClassifierScore:
        test = self.split.test
        answers = probabilities(self.trainer.average, test.images.images[index]).argmax(dim=2)
        return score_answers(answers, test.targets[index], self.split.scheme)

    def _finish(self) -> None:
        with self.stop.at_once():
            score = self._score(torch.arange(len(self.split.test)))
        self._keep_scores(
            {
                "accuracy": score.accuracy,
                "low": score.low,
                "high": score.high,
                "chance": score.chance,
                "test images": float(score.num_images),
            }
        )
        self.checkpoint()
        write_json(self.run.path / "score.json", score.to_dict())
        if self.trainer.average.has_attention:
            write_atomic(self.run.path / "look.png", png(self._picture()))
        self._save_bundle(score)

    def _picture(self) -> Any:
        chosen = one_of_each(self.split.test, NUM_DRAWN)
        test, scheme = self.split.test, self.split.scheme
        names = [f"true {name}" for name in scheme.decode(test.targets[chosen])]
        return draw_attention(self.trainer.average, test.images.images[chosen], scheme, names)

    def _save_bundle(self, score: ClassifierScore) -> None:
        card = self._card(score.to_dict()["scores"])
        weights = self.trainer.average.state_dict()
        save_bundle(self.run.bundle_path, tensors=weights, card=card, **self._description())

    def _description(self) -> dict[str, Any]:
        config, split = self.config, self.split
        data = {
            "source": config.data.source,
            "test": config.data.test,
            "size": split.train.images.size,
            "colours": split.train.images.colours,
            "class_names": list(split.scheme.names),
            "label_parts": split.scheme.parts,
            "fingerprint": self.run.provenance["data_fingerprint"],
            **config.data.facts(),
        }
        return {"role": "classifier", "network_config": config.network.to_dict(), "data": data}

    @property
    def _summary(self) -> str:
        return f"A classifier trained by orthogan on {self.config.data.source}."

    def _bar_words(self, measured: dict[str, float]) -> str:
        facts = [f"loss {measured['loss']:.3f}"]
        if "accuracy" in self.scores:
            facts.append(f"accuracy {self.scores['accuracy']:.2%}")
        return "  ".join(facts)


def one_of_each(examples: Examples, count: int) -> torch.Tensor:
    """Indices of `count` images, or all if there are fewer, of as many classes as possible.

    The first images of different classes, in order of their classes.

    >>> from orthogan.data import ImageSet
    >>> pixels = torch.zeros(4, 1, 16, 16, dtype=torch.uint8)
    >>> images = ImageSet(pixels, torch.tensor([1, 1, 0, 2]), ("0", "1", "2"))
    >>> targets = torch.tensor([[1], [1], [0], [2]])
    >>> one_of_each(Examples(images=images, targets=targets), 3).tolist()
    [2, 0, 3]
    """
    _, classes = examples.targets.unique(dim=0, return_inverse=True)
    seen: Counter[int] = Counter()
    turns: list[tuple[int, int, int]] = []
    for label in classes.tolist():
        turns.append((seen[label], len(turns), label))
        seen[label] += 1
    chosen = sorted(turns)[:count]
    return torch.tensor([index for _, index, _ in sorted(chosen, key=lambda turn: turn[2])])

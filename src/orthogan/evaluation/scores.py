"""What an evaluation returns: numbers with floors and intervals, and one sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from orthogan.evaluation.compared import Compared
from orthogan.evaluation.groups import Group
from orthogan.notebooks import shown


@dataclass(frozen=True)
class Score:
    """One measured number and what it is to be compared with.

    Attributes:
        value: The measurement, in the metric's own unit (shares in 0..1, KL in nats).
        low: Lower end of its 95 % interval over the choice of generated images.
        high: Upper end.
        floor: What real images score in the place of generated ones: the best to hope for.
        n: Generated images it was measured on.
    """

    value: float
    low: float
    high: float
    floor: float
    n: int


@dataclass(frozen=True)
class Evaluation:
    """Every score of a set of generated images.

    Attributes:
        scores: By metric name; the extractor and its hash are part of the names it decides.
        verdict: One plain sentence: is the generator usable, and if not, why not.
        extractor: Short name of the extractor with its hash.
        class_shares: Fraction of generated images in each class; None for stacked digits.
        notes: What a reader must know to compare these numbers with others.
        data: What the real images are, as a person names them.
        compared: What was compared with what; None where the caller knows.
        groups: Classes of the data, or groups that look alike, with their shares.
        second: What a second judge makes of the images; its verdict is its own, while `verdict`
            says whether both agree. None: none was asked.
    """

    scores: Mapping[str, Score]
    verdict: str
    extractor: str
    class_shares: tuple[float, ...] | None = None
    notes: tuple[str, ...] = ()
    data: str = ""
    compared: Compared | None = None
    groups: tuple[Group, ...] = ()
    second: Evaluation | None = None

    def _repr_html_(self) -> str:
        """The verdict and a table of the scores, for notebooks."""
        return shown("evaluation", self)

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries, lists and numbers; `json.dumps` takes it."""
        tree: dict[str, Any] = {
            "scores": {name: asdict(score) for name, score in self.scores.items()},
            "verdict": self.verdict,
            "extractor": self.extractor,
            "class_shares": None if self.class_shares is None else list(self.class_shares),
            "groups": [asdict(group) for group in self.groups],
            "notes": list(self.notes),
        }
        tree |= {"data": self.data} if self.data else {}
        tree |= {"second": self.second.to_dict()} if self.second else {}
        return tree | ({"compared": self.compared.to_dict()} if self.compared else {})

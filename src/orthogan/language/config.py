"""Everything that decides what a language run does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from orthogan.config import Config, OneOf
from orthogan.language.tokenizer import SPLITTERS
from orthogan.language.transformer import LanguageNetworkConfig
from orthogan.training.config import AdamWConfig, Budget, RunConfig


class TextConfig(Config):
    """Which text, what its tokens are, and how much of it is kept for scoring."""

    RENAMED: ClassVar[Mapping[str, str]] = {"tokeniser": "tokenizer"}  # of version 0.1

    source: str = Field(
        "austen", description="a text file, a folder of .txt files, or a named corpus"
    )
    tokenizer: Annotated[str, OneOf("tokenizer", lambda: SPLITTERS)] = Field(
        "characters", description="what a token is"
    )
    min_count: int | None = Field(
        None,
        ge=1,
        description="rarer characters or words become <unk>; null: 1 for characters, 3 for words",
    )
    held_out: float = Field(
        0.1, gt=0, lt=1, description="fraction of the text, at its end, that is kept for scoring"
    )


class LanguageBudgetConfig(Budget):
    """How long to train; the schedule ends where the budget does."""

    unit = "tokens"

    tokens: int | None = Field(None, ge=1, description="tokens to predict")


class LanguageOptimizerConfig(AdamWConfig):
    """Muon or AdamW, the step size rising and falling along the budget."""

    kind: Literal["muon", "adamw"] = Field(
        "muon", description="muon: orthogonal steps for matrices, Adam for the rest"
    )
    learning_rate: float = Field(1e-2, gt=0, description="learning rate at its peak")
    warm_up: float = Field(0.02, ge=0, lt=1, description="fraction of the budget in which it rises")
    beta1: float = Field(0.9, ge=0, lt=1, description="decay of the mean of the gradients")
    beta2: float = Field(0.99, ge=0, lt=1, description="decay of their squares")
    weight_decay: float = Field(
        0.1, ge=0, description="pull of the weight matrices to zero (AdamW only)"
    )


class LanguageConfig(RunConfig):
    """A whole language run; `run.json` holds one."""

    RENAMED: ClassVar[Mapping[str, str]] = {"optimiser": "optimizer"}  # of version 0.1

    IDLE: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "optimizer.kind=muon": ("optimizer.weight_decay",),
        "data.tokenizer=bytes": ("data.min_count",),
    }
    COMMAND = "language"
    data: TextConfig = TextConfig()
    network: LanguageNetworkConfig = LanguageNetworkConfig()
    optimizer: LanguageOptimizerConfig = LanguageOptimizerConfig()
    batch_size: int = Field(32, ge=1, description="pieces of text a step, network.context long")
    budget: LanguageBudgetConfig = LanguageBudgetConfig(seconds=300.0)

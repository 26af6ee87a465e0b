"""Everything that decides what a classification run does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from orthogan.config import Config
from orthogan.networks.classifier import AnyClassifier, AttentionClassifierConfig
from orthogan.training.config import AdamWConfig, BudgetConfig, DataConfig, RunConfig


class LabelledDataConfig(DataConfig):
    """Which labelled images, and which of them are kept for scoring."""

    test: str | None = Field(
        None, description="images to score on; null: the test set of the source, else held out"
    )
    held_out: float = Field(
        0.1, gt=0, lt=1, description="fraction held out of a source without a test set"
    )
    label_parts: int | None = Field(
        None,
        ge=1,
        description="read a class name of so many characters as so many labels; null: three for "
        "stacked-mnist, else one",
    )


class DistortionConfig(Config):
    """How far training images are moved at most; every image by its own random amounts."""

    strength: float = Field(1.0, ge=0, description="multiplies all amounts below; 0: none")
    turn_deg: float = Field(12.0, ge=0, le=180, description="rotation to either side, degrees")
    scale: float = Field(
        0.12, ge=0, lt=1, description="change of each side's length, as a fraction"
    )
    shear: float = Field(0.15, ge=0, description="horizontal shear")
    shift: float = Field(
        0.07, ge=0, le=1, description="shift to either side, as a fraction of the side"
    )
    bend: float = Field(
        0.0175,
        ge=0,
        description="elastic: standard deviation of a 5 x 5 grid, as a fraction of the side",
    )
    mirror: bool = Field(False, description="mirror every second image, left to right")


class ClassificationConfig(RunConfig):
    """A whole classification run; `run.json` holds one."""

    RENAMED: ClassVar[Mapping[str, str]] = {"optimiser": "optimizer"}  # of version 0.1

    IDLE: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "network.stem=patch": ("network.channels",),
        "network.blocks=0": tuple(
            f"network.{name}"
            for name in ("heads", "score", "keys", "key_size", "initialization", "expansion")
        ),
        "distortion.strength=0.0": tuple(
            f"distortion.{name}" for name in ("turn_deg", "scale", "shear", "shift", "bend")
        ),
    }
    COMMAND = "classify"
    data: LabelledDataConfig = LabelledDataConfig()
    network: AnyClassifier = AttentionClassifierConfig()
    distortion: DistortionConfig = DistortionConfig()
    optimizer: AdamWConfig = AdamWConfig()
    batch_size: int = Field(128, ge=2, description="images a step")
    label_smoothing: float = Field(
        0.05, ge=0, lt=1, description="fraction of the target spread over all classes"
    )
    average_steps: float = Field(
        500.0, ge=1, description="most steps that the average of the weights remembers"
    )
    budget: BudgetConfig = BudgetConfig(seconds=600.0)

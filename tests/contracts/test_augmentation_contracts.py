"""Every registered augmentation keeps its contract."""

from __future__ import annotations

from orthogan.testing.augmentations import AugmentationContract


class TestAugmentations(AugmentationContract):
    """All that are registered."""

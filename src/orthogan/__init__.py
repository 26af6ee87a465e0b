"""orthogan: attention GANs that do not collapse, and the geometry that explains why."""

__version__ = "0.1.0"

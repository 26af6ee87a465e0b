"""Configurations: strict names and types, dotted changes, files, and messages that help."""

from orthogan.config.base import Config, flatten
from orthogan.config.fields import Choice, OneOf, Setting, SomeOf, about, described
from orthogan.config.file import read_config_file
from orthogan.config.shape import check_shape

__all__ = [
    "Choice",
    "Config",
    "OneOf",
    "Setting",
    "SomeOf",
    "about",
    "check_shape",
    "described",
    "flatten",
    "read_config_file",
]

"""Every error orthogan raises on purpose.

OrthoganError
|-- ConfigError(ValueError)        impossible combination of settings                  exit 2
|   `-- SettingError(ConfigError)  unknown setting, or a value it cannot have          exit 2
|-- UnknownNameError(LookupError)  the name, the nearest match, the list               exit 2
|   `-- UnknownValueError(SettingError) such a name as the value of a setting         exit 2
|-- ShapeError(ValueError)         expected, actual, which axis                        exit 2
|-- DataError(OSError)             missing, damaged or unusable data; the path         exit 3
|-- BundleError(ValueError)        not ours, newer format, wrong checksum              exit 3
|-- DivergedError(ArithmeticError) image count, what was not finite, last checkpoint   exit 4
|-- ResumeError(ValueError)        config, data or code differ; the difference         exit 6
|-- StorageError(OSError)          a run folder that cannot be written                 exit 3
|-- LostError(ConnectionError)     another process of the run is gone                  exit 8
|-- OutOfMemoryError(MemoryError)  a step, also in parts; the last checkpoint            exit 5
`-- MissingExtraError(ImportError) pip install 'orthogan[extra]'                       exit 2

A message states the rule, the two values that clash, and what to do. Whatever foreign text it
quotes, it is one line that a terminal can show, of at most `MAX_MESSAGE` characters.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from orthogan.terminal import printable

# A longer list is left out when there is a near match: a sentence stays readable.
MAX_NAMES = 20
# Characters of a value that a file holds or somebody typed: for the same reason.
MAX_SHOWN = 60
# Characters of a message. A file may hold names of any length; what is wrong stands at the start
# of a sentence and what to do at its end, so the middle is left out.
MAX_MESSAGE = 600
KEPT_END = 150


class OrthoganError(Exception):
    """Root of every deliberate error; `exit_code` is what the command line returns."""

    exit_code = 1

    def __str__(self) -> str:
        text = super().__str__()
        if len(text) > MAX_MESSAGE:  # also before, so that the codes of a megabyte are not made
            text = _without_middle(text)
        text = printable(text)
        return text if len(text) <= MAX_MESSAGE else _without_middle(text)


class ConfigError(OrthoganError, ValueError):
    """A setting is unknown, has the wrong type, or cannot be combined with another."""

    exit_code = 2


class SettingError(ConfigError):
    """A setting does not exist, or cannot have this value whatever the others are."""


class UnknownNameError(OrthoganError, LookupError):
    """A name is not registered; the message holds the nearest match and the list."""

    exit_code = 2

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        name = shortened(name)  # looking for what is near a very long one would take minutes
        super().__init__(f"Unknown {kind} '{name}'.{did_you_mean(name, known)}")


class UnknownValueError(SettingError, UnknownNameError):
    """The value of a setting is a name that is not registered; the message is that of the name."""

    def __init__(self, message: str) -> None:
        Exception.__init__(self, message)


class ShapeError(OrthoganError, ValueError):
    """A tensor or image has the wrong shape; the message names the axis."""

    exit_code = 2


class DataError(OrthoganError, OSError):
    """Data is missing, damaged or unusable; the message names the path."""

    exit_code = 3


class BundleError(OrthoganError, ValueError):
    """A model folder is not ours, is newer than this version, or fails its checksum."""

    exit_code = 3


class StorageError(OrthoganError, OSError):
    """A run folder cannot be created or written, or the disk is full."""

    exit_code = 3


class DivergedError(OrthoganError, ArithmeticError):
    """Training produced non-finite values; the last healthy checkpoint is kept."""

    exit_code = 4


class OutOfMemoryError(OrthoganError, MemoryError):
    """A step does not fit into memory, nor do its smallest parts; the last checkpoint is kept."""

    exit_code = 5


class ResumeError(OrthoganError, ValueError):
    """A run folder was made by another configuration, data set or version."""

    exit_code = 6


class MissingExtraError(OrthoganError, ImportError):
    """An optional dependency is not installed."""

    exit_code = 2

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"This needs {package}: pip install 'orthogan[{extra}]'.")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A sentence naming the nearest match and every known name, with a leading space.

    >>> did_you_mean("tranformer-gan", ["attention-gan", "transformer-gan"])
    " Did you mean 'transformer-gan'? Known: attention-gan, transformer-gan."
    """
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f" Did you mean '{close[0]}'?" if close else ""
    if not names or (close and len(names) > MAX_NAMES):
        return hint
    return f"{hint} Known: {', '.join(names)}."


def listed(names: Sequence[str], last: str = "or") -> str:
    """Names as they stand in a sentence.

    >>> listed(["a", "b", "c"]), listed(["a"])
    ('a, b or c', 'a')
    """
    *before, final = names
    return f"{', '.join(before)} {last} {final}" if before else final


def shortened(value: object) -> str:
    """A value as text, cut to what a sentence can hold.

    >>> shortened(0.5), len(shortened("x" * 10_000))
    ('0.5', 60)
    """
    text = str(value)
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 3]}..."


def _without_middle(text: str) -> str:
    gap = " ... "
    return text[: MAX_MESSAGE - KEPT_END - len(gap)] + gap + text[-KEPT_END:]

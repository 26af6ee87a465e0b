"""The exception tree: one root, standard bases, exit codes of the command line."""

from __future__ import annotations

import pytest

from orthogan import errors
from orthogan.errors import (
    ConfigError,
    MissingExtraError,
    OrthoganError,
    UnknownNameError,
    did_you_mean,
)

TREE = {
    "ConfigError": (ValueError, 2),
    "SettingError": (ConfigError, 2),
    "UnknownNameError": (LookupError, 2),
    "ShapeError": (ValueError, 2),
    "DataError": (OSError, 3),
    "BundleError": (ValueError, 3),
    "StorageError": (OSError, 3),
    "DivergedError": (ArithmeticError, 4),
    "ResumeError": (ValueError, 6),
    "MissingExtraError": (ImportError, 2),
}


def test_every_error_of_the_module_is_in_the_tree() -> None:
    defined = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, OrthoganError)
    }
    assert defined == {*TREE, "OrthoganError"}
    for name, (base, code) in TREE.items():
        error = getattr(errors, name)
        assert issubclass(error, base), name
        assert error.exit_code == code, name
        assert f"{name}({base.__name__})" in (errors.__doc__ or ""), name
    assert OrthoganError.exit_code == 1


def test_unknown_name_prints_without_quotes_around_the_sentence() -> None:
    error = UnknownNameError("loss", "hinje", ["hinge", "wasserstein"])
    assert str(error) == ("Unknown loss 'hinje'. Did you mean 'hinge'? Known: hinge, wasserstein.")


def test_no_guess_when_nothing_is_near() -> None:
    assert did_you_mean("zzz", ["b", "a"]) == " Known: a, b."


def test_missing_extra_says_what_to_install() -> None:
    with pytest.raises(ImportError, match=r"matplotlib: pip install 'orthogan\[plot\]'"):
        raise MissingExtraError("matplotlib", "plot")

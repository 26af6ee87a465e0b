"""The exception tree: one root, standard bases, exit codes of the command line."""

from __future__ import annotations

import pytest

from orthogan import errors
from orthogan.errors import (
    KEPT_END,
    MAX_MESSAGE,
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
    "UnknownValueError": (errors.SettingError, 2),
    "ShapeError": (ValueError, 2),
    "DataError": (OSError, 3),
    "BundleError": (ValueError, 3),
    "StorageError": (OSError, 3),
    "DivergedError": (ArithmeticError, 4),
    "OutOfMemoryError": (MemoryError, 5),
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


@pytest.mark.parametrize("name", sorted(TREE))
@pytest.mark.parametrize(
    ("foreign", "shown"),
    [
        ("red \x1b[31m", r"red \x1b[31m"),
        ("two\nlines\r", r"two\nlines\r"),
        ("half \ud800", r"half \ud800"),
        ("turned \u202egnp", r"turned \u202egnp"),
        (
            "caf\u00e9 \u0928\u092e\u0938\u094d\u0924\u0947 a  b",
            "caf\u00e9 \u0928\u092e\u0938\u094d\u0924\u0947 a  b",
        ),
    ],
)
def test_a_message_is_one_line_that_a_terminal_can_show(
    name: str, foreign: str, shown: str
) -> None:
    kind = getattr(errors, name)
    more = {"UnknownNameError": (foreign, []), "MissingExtraError": ("extra",)}.get(name, ())
    error = kind(foreign, *more)
    assert shown in str(error)
    assert "\n" not in str(error)
    str(error).encode()


def test_a_long_message_keeps_its_beginning_and_its_end() -> None:
    message = f"x.npz: holds {'a' * 5000}; copy it again."
    shown = str(ConfigError(message))
    assert len(shown) == MAX_MESSAGE
    assert shown.startswith("x.npz: holds aaa")
    assert shown.endswith("a; copy it again.")
    assert shown[-KEPT_END - 5 : -KEPT_END] == " ... "
    assert len(str(ConfigError("\x00" * 5000))) == MAX_MESSAGE
    assert str(ConfigError("a" * MAX_MESSAGE)) == "a" * MAX_MESSAGE


def test_a_message_quoted_in_another_is_not_changed_again() -> None:
    once = str(ConfigError("a\x1b"))
    assert str(ConfigError(once)) == once == r"a\x1b"

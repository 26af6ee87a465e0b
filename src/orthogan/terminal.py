"""Text for terminals: what may be shown of foreign text, and commands that may be pasted."""

from __future__ import annotations

import shlex
import unicodedata
from collections.abc import Iterable
from pathlib import Path

# Control, format (zero width, direction), surrogate, line and paragraph separator.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_JOINERS = "\u200c\u200d"  # Hindi, Persian and emoji are spelt with them
_LINES = "\n\t"


def printable(text: str, keep: str = "") -> str:
    r"""Any text, with what would steer a terminal, or could not be written, as its code.

    Args:
        text: A label, a file name, a word: whatever somebody else wrote.
        keep: Characters that stay as they are.

    >>> printable("a\x1b[31m\u202eb\udcff\n")
    'a\\x1b[31m\\u202eb\\udcff\\n'
    """
    if text.isprintable():
        return text
    return "".join(each if each in keep else _visible(each) for each in text)


def printable_lines(text: str) -> str:
    r"""The same for a text of several lines.

    >>> printable_lines("a\nb\r")
    'a\nb\\r'
    """
    return printable(text, _LINES)


def pasteable(words: Iterable[str | Path]) -> str:
    r"""A command line to paste into a shell.

    Args:
        words: The program and its arguments. A `Path` that begins with `-` becomes `./-...`, so
            that it is not taken for an option; a string is taken as it is.

    >>> pasteable(["orthogan", "sample", Path("runs/my letters-0")])
    "orthogan sample 'runs/my letters-0'"
    >>> pasteable(["orthogan", "sample", Path("-x"), "a\n"])
    "orthogan sample ./-x $'a\\012'"
    """
    return " ".join(map(_quoted, words))


def _quoted(word: str | Path) -> str:
    text = str(word)
    if isinstance(word, Path) and text.startswith("-"):
        text = f"./{text}"
    if printable(text) == text:
        return shlex.quote(text)
    # The quotes of ISO C, which shells read too: a line feed or a stray byte shows as its code.
    return f"$'{''.join(map(_octal, _bytes(text)))}'"


def _bytes(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")  # as the system handed it over
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def _octal(byte: int) -> str:
    plain = chr(byte).isprintable() and byte < 127 and chr(byte) not in "\\'"
    return chr(byte) if plain else f"\\{byte:03o}"


def _visible(character: str) -> str:
    if character in _JOINERS or unicodedata.category(character) not in _UNSEEN:
        return character
    return character.encode("unicode_escape").decode()

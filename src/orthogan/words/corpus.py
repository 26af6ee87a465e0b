"""The shipped corpus, checked, and the words of a text."""

from __future__ import annotations

import hashlib
import lzma
from importlib.resources import files

import regex

from orthogan.errors import DataError
from orthogan.words.words import INSIDE, LETTER, MARK, plain

FILE = "novels.txt.xz"
SHA256 = "32432b75ad045648fc586b923f9d38cddee6ecfa14cfe8968b9a028c36a19c23"  # of the plain text
# Underscores, which mark italics in the corpus, and digits belong to no word.
WORD = regex.compile(rf"[{LETTER}][{LETTER}{MARK}]*(?:['{INSIDE}][{LETTER}][{LETTER}{MARK}]*)*")


def load_corpus() -> str:
    """The six novels of Jane Austen, 725,000 words, embedded; public domain.

    Raises:
        DataError: the embedded file is damaged.

    >>> load_corpus()[:21]
    'SENSE AND SENSIBILITY'
    """
    return checked_text(files("orthogan.assets").joinpath("austen", FILE).read_bytes())


def checked_text(compressed: bytes) -> str:
    """The text of the embedded file, if its checksum is the recorded one.

    Raises:
        DataError: it is damaged.
    """
    try:
        content = lzma.decompress(compressed)
    except (lzma.LZMAError, EOFError):
        content = b""
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise DataError(
            f"The embedded corpus {FILE} does not have its recorded checksum {SHA256}; "
            "reinstall orthogan."
        )
    return content.decode()


def tokenize(text: str) -> list[str]:
    """The words of a text in lower case, in order; digits and punctuation are left out.

    An apostrophe within a word belongs to it, and so do combining marks: see `text.words`.

    >>> tokenize("It is a _truth_ universally acknowledged: Emma's 20,000!")
    ['it', 'is', 'a', 'truth', 'universally', 'acknowledged', "emma's"]
    """
    return WORD.findall(plain(text).replace("\u2019", "'"))

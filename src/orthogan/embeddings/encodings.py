"""Words as text: UTF-8, or the single bytes of Western Europe where a file is written so."""

from __future__ import annotations

from collections.abc import Callable, Collection

WESTERN = ("cp1252", "latin-1")  # Windows' own leaves five bytes undefined; Latin-1 none
UTF_8 = "utf-8"
CUT_BYTES = 90  # word2vec.c cuts words at 98 bytes, within a character if it falls so


def decoded(words: Collection[bytes]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    r"""The words as text, different words as different text, and notes on what is no UTF-8.

    Words are UTF-8 unless most of those with more than ASCII are not. Broken characters of UTF-8
    show as U+FFFD; where that makes two words equal, their bytes show as \xNN instead.

    >>> decoded([b"caf\xe9", b"caf\xe8"])[0] == ("caf\u00e9", "caf\u00e8")
    True
    """
    beyond = [word for word in words if not word.isascii()]
    broken = [word for word in beyond if not _is_utf8(word)]
    if not broken:
        return tuple(word.decode() for word in words), ()
    if 2 * sum(len(word) < CUT_BYTES for word in broken) > len(beyond):
        encoding = next(e for e in WESTERN if all(map(_decodes(e), broken)))
        note = (
            f"{len(broken):,} words are no UTF-8, the first {ascii(broken[0])[1:]}; all are read "
            f"as {encoding}: convert the file if it is of another encoding."
        )
        return tuple(word.decode(encoding) for word in words), (note,)
    texts = {word: word.decode(errors="replace") for word in broken}
    taken = {word.decode() for word in words if word not in texts}
    for word, text in texts.items():
        if text in taken:
            texts[word] = word.decode(errors="backslashreplace")
        taken.add(texts[word])
    note = f"{len(broken):,} words are not whole UTF-8; what is broken shows as \\ufffd or \\xNN."
    return tuple(texts.get(word) or word.decode() for word in words), (note,)


def _is_utf8(word: bytes) -> bool:
    return _decodes(UTF_8)(word)


def _decodes(encoding: str) -> Callable[[bytes], bool]:
    def can(word: bytes) -> bool:
        try:
            word.decode(encoding)
        except UnicodeDecodeError:
            return False
        return True

    return can

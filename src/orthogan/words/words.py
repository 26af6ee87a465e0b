r"""Words of any script: letters with their marks, as Unicode segments text.

A combining mark belongs to the letter before it (UAX 29, rule WB4), so the vowel signs of Hindi,
Tamil and Thai, the points of Hebrew, and the accents of decomposed text do not end a word. Two
spellings of one character are one: text is brought to NFC (UAX 15). Invisible formatting, such as
soft hyphens and marks of direction, is left out; the joiners that change a word's shape stay.

Not covered: scripts without spaces (Thai, Lao, Khmer, Chinese, Japanese). Their words are told
apart by a dictionary only, so what stands between two spaces or marks of punctuation is one word.
"""

from __future__ import annotations

import unicodedata

import regex

LETTER = r"\p{L}\p{Nl}\p{No}"
DIGIT = r"\p{Nd}"
MARK = r"\p{M}\u200c\u200d"  # with the joiners of Persian and of Indian scripts
# Within a word: the middle dot of Catalan, geresh and gershayim of Hebrew (UAX 29, MidLetter).
INSIDE = r"\u00b7\u05f3\u05f4"
SPACE = r"\s\x1c-\x1f"  # what `str.isspace` holds for a space

# The tags behind a black flag are as invisible, but tell England from Wales.
_INVISIBLE = regex.compile(
    r"(?V1)[[\p{Default_Ignorable_Code_Point}&&\p{Cf}]--[\u200c\u200d\U000e0020-\U000e007f]]"
)


def plain(text: str) -> str:
    r"""The text in lower case, composed (NFC), without invisible formatting.

    >>> plain("Cafe\u0301, co\u00adoperate") == "caf\u00e9, cooperate"
    True
    """
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", _INVISIBLE.sub("", text).lower())

"""Damage that knows nothing of the form: bits, bytes, numbers, blocks, truncation, splices."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

MAX_BYTES = 2**18  # of a mutated input, unless its seed is larger: executions stay quick
# Whole numbers at which counts, offsets and signs go wrong.
MAGIC = (
    *(0, 1, 2, 7, 16, 64, 127, 128, 255, 256, 1023, 4096, 32767, 32768, 65535, 65536),
    *(2**24, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**40, 2**53, 2**62, 2**63 - 1, 2**63, 2**64 - 1),
)
# Text that readers stumble over: ends of lines, control characters, encodings, paths, numbers.
TOKENS = (
    *(b"\n", b"\r\n", b"\x00", b" ", b"\t", b"\x1b[31m", b"\x7f", b"\xff\xfe", b"\xef\xbb\xbf"),
    *(b"\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x80\xa8", b"\xc2\x85", b"\xe2\x80\x8b"),
    *(b"e\xcc\x81", b"\xf0\x9f\x98\x80", b"../", b"/", b"%s%n", b"NaN", b"inf", b"-inf", b"1e999"),
    *(b"-1", b"0", b"1e-400", b"9" * 400, b"9" * 5000, b"0x10", b"1_000", b"[" * 300, b"{" * 300),
    *(b'"', b"\\", b"'", b":", b",", b"#", b"&a", b"*a", b"!!python/object:os.system", b"- "),
    *("\u0663".encode(), "\u00b2".encode(), "\uff11".encode(), b"null", b"true", b"<unk>"),
)

Step = Callable[[Random, bytearray, bytes], None]


def damaged(rng: Random, data: bytes, other: bytes) -> bytes:
    """One to six random changes; often one or two."""
    changed = bytearray(data)
    for _ in range(min(6, 1 + int(rng.expovariate(1.2)))):
        rng.choice(_STEPS)(rng, changed, other)
    return bytes(changed[: max(MAX_BYTES, len(data))])


def integer(rng: Random) -> int:
    """A number at or beside one where counts go wrong."""
    return rng.choice(MAGIC) + rng.choice((0, 0, 0, 1, -1))


def _flip(rng: Random, data: bytearray, other: bytes) -> None:
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _set(rng: Random, data: bytearray, other: bytes) -> None:
    if data:
        data[rng.randrange(len(data))] = rng.choice(
            (0, 1, 10, 32, 127, 128, 255, rng.randrange(256))
        )


def _number(rng: Random, data: bytearray, other: bytes) -> None:
    width = rng.choice((1, 2, 4, 8))
    at = rng.randrange(len(data) + 1)
    order = rng.choice(("little", "big"))
    content = (integer(rng) % 256**width).to_bytes(width, order)  # type: ignore[arg-type]
    data[at : at + width * rng.randrange(2)] = content


def _truncate(rng: Random, data: bytearray, other: bytes) -> None:
    del data[rng.randrange(len(data) + 1) :]


def _cut(rng: Random, data: bytearray, other: bytes) -> None:
    start = rng.randrange(len(data) + 1)
    del data[start : start + 1 + int(rng.expovariate(1 / 16))]


def _repeat(rng: Random, data: bytearray, other: bytes) -> None:
    start = rng.randrange(len(data) + 1)
    block = bytes(data[start : start + 1 + int(rng.expovariate(1 / 32))])
    count = rng.choice((1, 2, 3, 64, 1000))
    data[start:start] = (block * count)[:MAX_BYTES]


def _insert(rng: Random, data: bytearray, other: bytes) -> None:
    at = rng.randrange(len(data) + 1)
    data[at : at + rng.choice((0, 0, 1, 4))] = rng.choice((rng.choice(TOKENS), rng.randbytes(8)))


def _splice(rng: Random, data: bytearray, other: bytes) -> None:
    here, there = rng.randrange(len(data) + 1), rng.randrange(len(other) + 1)
    data[here:] = other[there:]


def _copy(rng: Random, data: bytearray, other: bytes) -> None:
    here, there = rng.randrange(len(data) + 1), rng.randrange(len(other) + 1)
    size = 1 + int(rng.expovariate(1 / 32))
    data[here : here + size] = other[there : there + size]


_STEPS: tuple[Step, ...] = (
    *(_flip, _flip, _set, _set, _number, _number, _insert, _insert),
    *(_truncate, _cut, _repeat, _splice, _copy),
)

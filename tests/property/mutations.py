"""Damage to JSON files as strangers, disks and editors do it; the same for the same seed."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

# Values that a type, a range or a sentence may trip over.
ODD: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    3,
    2**31,
    2**63,
    10**400,
    -0.0,
    0.5,
    1e308,
    float("nan"),
    float("inf"),
    "",
    "x",
    "\u00b2",
    "\x1b[2J\n",
    "a\0b",
    "../../etc",
    "y" * 5000,
    [],
    {},
    [[]],
    [1, "a", None],
    {"kind": "attention"},
    {"self": 1},
)


def mutated(content: bytes, seed: int) -> bytes:
    """A file of JSON (or JSON lines) that was damaged in one place, or in a few."""
    source = random.Random(seed)
    if source.random() < 0.3:
        return source.choice(_BYTES)(content, source)
    try:
        tree = json.loads(content)
    except ValueError:
        return source.choice(_BYTES)(content, source)
    for _ in range(source.choice([1, 1, 1, 3])):
        tree = _changed(tree, source)
    return json.dumps(tree).encode(errors="replace")


def _changed(tree: Any, source: random.Random) -> Any:
    holders = list(_holders(tree))
    if not holders or source.random() < 0.03:
        return source.choice(ODD)
    holder, key = source.choice(holders)
    deed = source.randrange(6)
    if deed == 0:
        del holder[key]
    elif deed == 1:
        holder[key] = [holder[key]] if source.random() < 0.5 else {"value": holder[key]}
    elif deed == 2 and isinstance(holder, dict):
        holder[source.choice(["self", "kind", "", "new", "\u00b2"])] = source.choice(ODD)
    else:
        holder[key] = source.choice(ODD)
    return tree


def _holders(tree: Any) -> Iterator[tuple[Any, Any]]:
    if not isinstance(tree, dict | list):
        return
    for key, value in list(tree.items() if isinstance(tree, dict) else enumerate(tree)):
        yield tree, key
        if isinstance(value, dict | list):
            yield from _holders(value)


def _cut(content: bytes, source: random.Random) -> bytes:
    return content[: source.randrange(len(content) + 1)]


def _flipped(content: bytes, source: random.Random) -> bytes:
    data = bytearray(content or b"\0")
    for _ in range(source.choice([1, 5])):
        data[source.randrange(len(data))] ^= 1 << source.randrange(8)
    return bytes(data)


def _nested(_content: bytes, source: random.Random) -> bytes:
    return source.choice([b"[", b'{"a":', b'[{"images_seen":']) * 200_000


_LINES = (
    b"hello",
    b"\xff\xfe",
    b"[]",
    b"{}",
    b'{"images_seen": 1}',
    b"9" * 5000,
    b'{"images_seen": 5, "event": ["x"]}',
    b'{"images_seen": 1e400, "event": "score"}',
    b'{"images_seen": 1, "event": "score", "fd[digits]": "low"}',
    b'{"a": 1, "a": 2}',
    b'"\\ud800"',
    b'{"images_seen": true, "attempt": -1}',
)


def _foreign(content: bytes, source: random.Random) -> bytes:
    line = source.choice(_LINES) + b"\n"
    return content + line if source.random() < 0.5 else line + content


_BYTES: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _cut,
    _flipped,
    _flipped,
    _nested,
    _foreign,
    _foreign,
)


def resealed(content: bytes) -> bytes:
    """`state.json` with the checksum that its state has now, as who changes it on purpose would."""
    try:
        record = json.loads(content)
        record["state_sha256"] = hashlib.sha256(json.dumps(record["state"]).encode()).hexdigest()
    except (ValueError, LookupError, TypeError, RecursionError):
        return content
    return json.dumps(record).encode()

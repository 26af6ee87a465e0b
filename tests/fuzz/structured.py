"""Damage that keeps what a reader checks first: JSON, text, NumPy, safetensors, PNG, streams.

Lengths, checksums and compression are made to fit again, so that the damage gets past them.
"""

from __future__ import annotations

import gzip
import json
import lzma
import re
import struct
import zlib
from collections.abc import Callable
from random import Random
from typing import Any

from fuzz.bytewise import TOKENS, damaged, integer
from fuzz.registry import Form

DEPTHS = (40, 1_000, 20_000, 200_000)
HOLE = '"<hole>"'  # stands where text goes that json.dumps cannot write
PNG = b"\x89PNG\r\n\x1a\n"

Part = Callable[[bytes], bytes]


def plain(rng: Random, data: bytes, other: bytes) -> bytes:
    """No form: bytes alone."""
    return damaged(rng, data, other)


def json_form(rng: Random, data: bytes, other: bytes) -> bytes:
    """JSON with values of other types, missing, renamed and repeated keys, and deep nesting."""
    try:
        tree = json.loads(data)
    except (ValueError, RecursionError):
        return damaged(rng, data, other)
    raw: dict[str, str] = {}
    for _ in range(1 + int(rng.expovariate(1.5))):
        tree = _changed(rng, tree, raw)
    text = json.dumps(tree, ensure_ascii=rng.random() < 0.5)
    for hole, content in raw.items():
        text = text.replace(hole, content)
    return text.encode("utf-8", "surrogatepass")


def _changed(rng: Random, tree: Any, raw: dict[str, str]) -> Any:
    spots: list[tuple[Any, Any]] = []
    _collect(tree, spots)
    if not spots or rng.random() < 0.02:
        return _value(rng, tree, raw)
    holder, key = rng.choice(spots)
    action = rng.randrange(8)
    if action == 0:
        del holder[key]
    elif action == 1 and isinstance(holder, dict):
        holder[str(_value(rng, key, {}))[:50] if rng.random() < 0.5 else f"{key}_"] = holder.pop(
            key
        )
    elif action == 2:
        holder[key] = [holder[key]] if rng.random() < 0.5 else {"a": holder[key]}
    elif action == 3:
        elsewhere, name = rng.choice(spots)
        holder[key] = _copied(elsewhere[name])
    elif action == 4 and isinstance(holder, list):
        holder[key:key] = [_copied(holder[key])] * rng.choice((1, 2, 300))
    else:
        holder[key] = _value(rng, holder[key], raw)
    return tree


def _collect(tree: Any, spots: list[tuple[Any, Any]]) -> None:
    if isinstance(tree, dict | list):
        for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
            spots.append((tree, key))
            _collect(value, spots)


def _copied(value: Any) -> Any:
    return json.loads(json.dumps(value))


def _value(rng: Random, old: Any, raw: dict[str, str]) -> Any:
    is_number = isinstance(old, int | float) and not isinstance(old, bool)
    numbers = (integer(rng), -integer(rng), 10 ** rng.choice((3, 30, 400)), 0, -1)
    kind = rng.choice((1, 1, 3, 7)) if is_number and rng.random() < 0.5 else rng.randrange(10)
    if kind == 0:
        return rng.choice((None, True, False))
    if kind in (1, 2):
        return rng.choice(numbers)
    if kind == 3:
        return rng.choice((float("nan"), float("inf"), 1e308, 1e-320, -0.0, 0.5, 2.0))
    if kind == 4:
        return rng.choice(TOKENS).decode("utf-8", "replace")
    if kind == 5:
        return rng.choice(("", "\ud800", "\x1b[31m", "a" * 5000, "\x00", "\n", "../..", "/etc"))
    if kind == 6:
        return rng.choice(([], {}, [[]], [None], {"": None}, [0] * 1000))
    if kind == 7 and is_number:
        return rng.choice((str(old), float(old) if abs(old) < 1e300 else 0.5, old + 1, -old, [old]))
    if kind == 8 and raw is not None:
        return _hole(rng, raw)
    return str(old) if isinstance(old, dict | list) else [old]


def _hole(rng: Random, raw: dict[str, str]) -> str:
    hole = f"<hole {len(raw)}>"
    depth = rng.choice(DEPTHS)
    raw[json.dumps(hole)] = rng.choice(
        (
            "[" * depth,
            "[" * depth + "]" * depth,
            '{"a":' * depth + "1" + "}" * depth,
            '{"a": 1, "a": 2}',
            "9" * 5000,
            "-0",
            "1E400",
            "1 /* x */",
            "",
        )
    )
    return hole


def json_lines_form(rng: Random, data: bytes, other: bytes) -> bytes:
    """Lines of JSON, one of them changed, repeated, moved, cut or foreign."""
    lines = data.split(b"\n")
    for _ in range(1 + rng.randrange(3)):
        at = rng.randrange(len(lines))
        action = rng.randrange(6)
        if action < 3:
            lines[at] = json_form(rng, lines[at], other)
        elif action == 3:
            lines.insert(at, rng.choice((b"[]", b"1", b"null", b'"a"', b"{}", rng.choice(TOKENS))))
        elif action == 4:
            lines.insert(rng.randrange(len(lines)), lines[at])
        else:
            lines[at] = damaged(rng, lines[at], other)
    return b"\n".join(lines)


def text_form(rng: Random, data: bytes, other: bytes) -> bytes:
    """Text with numbers, words and lines changed, in another encoding now and then."""
    for _ in range(1 + rng.randrange(3)):
        pieces = re.split(rb"(\s+|[=:,])", data)
        at = rng.randrange(len(pieces))
        action = rng.randrange(7)
        if action == 0:
            pieces[at] = str(rng.choice((integer(rng), -integer(rng), 10**400))).encode()
        elif action == 1:
            pieces[at] = rng.choice(TOKENS)
        elif action == 2:
            pieces[at] += rng.choice(TOKENS)
        elif action == 3:
            del pieces[at]
        elif action == 4:
            pieces.insert(rng.randrange(len(pieces)), pieces[at])
        elif action == 5:
            pieces[at] = pieces[at] * rng.choice((2, 50, 2000))
        else:
            pieces[at] = rng.choice(pieces)
        data = b"".join(pieces)[: 2**18]
    if rng.random() < 0.05:
        data = data.decode("utf-8", "replace").encode(
            rng.choice(("utf-16", "latin-1", "cp1252")), "replace"
        )
    return data.replace(b"\n", b"\r\n") if rng.random() < 0.05 else data


_TYPES = (
    *(
        "<f4",
        ">f8",
        "<f2",
        "|u1",
        "|i1",
        "<i8",
        ">u8",
        "<c8",
        "|b1",
        "|O",
        "|S0",
        "|S3",
        "|V0",
        "|V4",
    ),
    *(
        "<U0",
        "<U3",
        "<U900000000",
        "<M8[s]",
        "<m8",
        "<f16",
        "<c32",
        "f",
        "nonsense",
        "",
        "|S9999999999",
    ),
)
_SHAPES = (
    *("()", "(0,)", "(1,)", "(20,)", "(0, 9223372036854775808)", "(9223372036854775807, 2)"),
    *(
        "(4294967296, 4294967296)",
        "(-1,)",
        "(-1, 4)",
        "(True, True)",
        "(1.5,)",
        "('a',)",
        "(None,)",
    ),
    *(
        "[20, 4]",
        "20",
        "(" + "1, " * 70 + ")",
        "(20, 0)",
        "(0, 20, 20)",
        "(" * 150 + ")" * 150,
        "(2**3,)",
    ),
)


def npy_form(rng: Random, data: bytes, other: bytes) -> bytes:
    """A NumPy file whose header is edited, its length made to fit, or whose body is damaged."""
    if data[:6] != b"\x93NUMPY" or len(data) < 12:
        return damaged(rng, data, other)
    width = 2 if data[6] == 1 else 4
    start = 8 + width
    stop = start + int.from_bytes(data[8:start], "little")
    head, body = data[start:stop].decode("latin-1").rstrip(), data[stop:]
    action = rng.randrange(6)
    if action == 0:
        head = re.sub(r"'descr': [^,]*", f"'descr': {rng.choice(_TYPES)!r}", head, count=1)
    elif action == 1:
        head = re.sub(r"'shape': \([^)]*\)", f"'shape': {rng.choice(_SHAPES)}", head, count=1)
    elif action == 2:
        head = text_form(rng, head.encode("latin-1"), b"").decode("latin-1")
    elif action == 3:
        head = damaged(rng, head.encode("latin-1"), b"").decode("latin-1")
    elif action == 4:
        descr = rng.choice(
            ("[('a', '<f4')]", "[('', '<i4'), ('b', '<U1')]", "('<f4', (2, 3))", "{}")
        )
        head = re.sub(r"'descr': [^,]*", f"'descr': {descr}", head, count=1)
    if action == 5 or rng.random() < 0.2:
        body = damaged(rng, body, other)
    return npy_bytes(head, body, rng.choice((1, 1, 1, 2, 3)))


def npy_bytes(head: str, body: bytes, version: int = 1) -> bytes:
    """A NumPy file with this header."""
    text = head.encode("latin-1", "replace") + b"\n"
    width = 2 if version == 1 and len(text) < 2**16 else 4
    version = version if width == 2 else max(version, 2)
    return b"\x93NUMPY" + bytes((version, 0)) + len(text).to_bytes(width, "little") + text + body


def safetensors_form(rng: Random, data: bytes, other: bytes) -> bytes:
    """A safetensors file whose header is changed as JSON, its length made to fit."""
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 + length:
        return damaged(rng, data, other)
    head, body = data[8 : 8 + length], data[8 + length :]
    if rng.random() < 0.8:
        head = json_form(rng, head, b"")
    if rng.random() < 0.3:
        body = damaged(rng, body, other)
    return len(head).to_bytes(8, "little") + head + body


def png_form(rng: Random, data: bytes, other: bytes) -> bytes:
    """A PNG with a chunk changed, dropped, repeated or moved; checksums fit."""
    if not data.startswith(PNG):
        return damaged(rng, data, other)
    chunks = png_chunks(data)
    if not chunks:
        return damaged(rng, data, other)
    at = rng.randrange(len(chunks))
    kind, content = chunks[at]
    action = rng.randrange(8)
    if action == 0:
        head = bytearray(chunks[0][1].ljust(13, b"\0"))
        field = rng.randrange(3)
        if field < 2:
            head[4 * field : 4 * field + 4] = struct.pack(">I", integer(rng) % 2**32)
        else:
            head[rng.randrange(8, 13)] = rng.choice((0, 1, 2, 3, 4, 6, 8, 16, 255))
        chunks[0] = (chunks[0][0], bytes(head))
    elif action == 1:
        del chunks[at]
    elif action == 2:
        chunks.insert(rng.randrange(len(chunks) + 1), chunks[at])
    elif action == 3:
        chunks[at] = (
            rng.choice((b"tRNS", b"PLTE", b"eXIf", b"iCCP", b"acTL", b"fdAT", b"sBIT", b"zTXt")),
            content,
        )
    elif action == 4:
        extra = rng.choice((b"tRNS", b"PLTE", b"eXIf", b"iCCP", b"acTL", b"sBIT", b"gAMA", b"zTXt"))
        chunks.insert(1, (extra, rng.randbytes(rng.choice((0, 1, 2, 3, 6, 30, 768)))))
    elif action == 5 and kind == b"IDAT":
        chunks[at] = (kind, _recompressed(rng, content, zlib.decompress, zlib.compress, other))
    else:
        chunks[at] = (kind, damaged(rng, content, other))
    return PNG + b"".join(png_chunk(*chunk) for chunk in chunks)


def png_chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    """The kinds and contents of the chunks of a PNG."""
    chunks, at = [], len(PNG)
    while at + 8 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        chunks.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    return chunks


def png_chunk(kind: bytes, content: bytes) -> bytes:
    """One chunk with its checksum."""
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )


def picture_form(rng: Random, data: bytes, other: bytes) -> bytes:
    """A picture of any kind: PNG by its chunks, the others by their bytes."""
    return png_form(rng, data, other) if data.startswith(PNG) else damaged(rng, data, other)


def _recompressed(rng: Random, data: bytes, unpack: Part, pack: Part, other: bytes) -> bytes:
    try:
        return pack(damaged(rng, unpack(data), other))
    except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError):
        return damaged(rng, data, other)


def compressed_form(unpack: Part, pack: Part) -> Form:
    """A compressed file whose content is damaged before it is compressed again."""

    def form(rng: Random, data: bytes, other: bytes) -> bytes:
        return _recompressed(rng, data, unpack, pack, b"")

    return form


gzip_form = compressed_form(gzip.decompress, lambda data: gzip.compress(data, 1, mtime=0))
xz_form = compressed_form(lzma.decompress, lambda data: lzma.compress(data, preset=0))

"""ONNX Runtime Web as pages hold it: its script, its WebAssembly, its licenses."""

from __future__ import annotations

import base64
import json
import re
from functools import cache
from importlib import resources
from typing import Any

_FOLDER = "onnxruntime-web"
_SCRIPT, _BINARY = "ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm.gz"
_LICENSE, _NOTICES = "LICENSE", "ThirdPartyNotices.txt.gz"
_EXPORTS = re.compile(r"\bexport\{([^{}]*)\};?\s*(//# sourceMappingURL=\S*\s*)?$")


def version() -> str:
    """Such as `1.24.3`."""
    card: dict[str, Any] = json.loads(_read("card.json"))
    return str(card["version"])


@cache
def runtime_script() -> str:
    """The runtime as the start of a module, which calls it `ort`."""
    text = _read(_SCRIPT).decode()
    exports = _EXPORTS.search(text)
    assert exports is not None  # noqa: S101 - the file is ours
    names = [each.partition(" as ")[::2] for each in exports[1].split(",")]
    fields = ", ".join(f"{outside or inside}: {inside}" for inside, outside in names)
    return f"{text[: exports.start()]}\nconst ort = {{ {fields} }};\n"


def runtime_binary() -> str:
    """Its WebAssembly, compressed by gzip, base64."""
    return base64.b64encode(_read(_BINARY)).decode()


def runtime_license() -> str:
    """Its license."""
    return _read(_LICENSE).decode()


def runtime_notices() -> str:
    """The licenses of what it is built from, compressed by gzip, base64."""
    return base64.b64encode(_read(_NOTICES)).decode()


def _read(name: str) -> bytes:
    return resources.files("orthogan.assets").joinpath(_FOLDER, name).read_bytes()

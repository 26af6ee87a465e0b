"""The weights of an extractor, held to the checksum on its card."""

from __future__ import annotations

import hashlib
from importlib.resources.abc import Traversable

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from orthogan.errors import BundleError, shortened
from orthogan.files import parse_json


def verified_weights(folder: Traversable) -> tuple[dict[str, Tensor], str]:
    """The tensors of `weights.safetensors`, and their SHA-256, which `card.json` states.

    Raises:
        BundleError: a file is missing or malformed, or the checksums differ.
    """
    try:
        content = (folder / "card.json").read_bytes()
        weights = (folder / "weights.safetensors").read_bytes()
    except OSError as error:
        raise BundleError(f"{folder}: the extractor cannot be read: {error}.") from None
    card = parse_json(content, folder / "card.json", error=BundleError)
    expected = card.get("sha256") if isinstance(card, dict) else None
    digest = hashlib.sha256(weights).hexdigest()
    if digest != expected:
        raise BundleError(
            f"{folder}: weights.safetensors has sha256 {digest}, card.json says "
            f"{shortened(expected)}; install orthogan again."
        )
    try:
        return safetensors.torch.load(weights), digest
    except SafetensorError as error:
        raise BundleError(f"{folder}: weights.safetensors is malformed: {error}.") from None

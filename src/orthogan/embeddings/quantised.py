"""Checkpoints whose weights are packed integers: refused as such, never read as numbers."""

from __future__ import annotations

from collections.abc import Mapping

from orthogan.embeddings.tensors import Model
from orthogan.errors import DataError

# What quantising libraries store beside their packed weights.
PACKED = (
    ".qweight", ".qzeros", ".weight_packed", ".weight_scale", ".weight_scale_inv", ".quant_state",
    ".weight.absmax", ".SCB", ".weight_format",
)  # fmt: skip


def check_quantised(model: Model) -> None:
    """Nothing, if the weights of a model are numbers.

    Raises:
        DataError: the configuration names a way of quantising, or packed weights are stored.
    """
    stated = model.config.get("quantization_config")
    packed = next((name for name in model.tensors if any(end in name for end in PACKED)), None)
    if packed is None and not isinstance(stated, Mapping):
        return
    way = stated.get("quant_method") if isinstance(stated, Mapping) else None
    named = f" ({way})" if isinstance(way, str) else ""
    shown = f"'{packed}' holds packed weights" if packed else "config.json says so"
    raise DataError(
        f"{model.where}: the model is quantised{named}: {shown}, which are no numbers to measure; "
        "save it dequantised, for example with model.dequantize().save_pretrained('whole')."
    )

"""The weights alone, for other programs."""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import save

from orthogan.export import EXPORTERS, Exported
from orthogan.files import write_atomic
from orthogan.models.generator import load


@EXPORTERS.register("weights", suffix=".safetensors")
def write_weights(source: str, out: Path) -> Exported:
    """The weights alone, as a safetensors file."""
    tensors = {
        name: tensor.contiguous() for name, tensor in load(source).generator.state_dict().items()
    }
    content = save(tensors)
    write_atomic(out, content)
    return Exported(
        f"{out}: {len(tensors)} tensors, {len(content) / 1e6:.1f} MB.",
        {"out": str(out), "bytes": len(content), "tensors": len(tensors)},
    )

"""The format ONNX, as the command line writes it."""

from __future__ import annotations

from pathlib import Path

from orthogan.export import EXPORTERS, Exported


@EXPORTERS.register("onnx", suffix=".onnx")
def write_onnx(source: str, out: Path) -> Exported:
    """One ONNX file, checked against PyTorch."""
    from orthogan.export.onnx import export_onnx  # PyTorch, which a list of formats can do without

    made = export_onnx(source, out)
    size = out.stat().st_size
    return Exported(
        f"{out}: {size / 1e6:.1f} MB, its pixels at most {made.largest_difference:.1e} "
        "from PyTorch's in [-1, 1].",
        {
            "out": str(out),
            "bytes": size,
            "classes": made.generator.classes,
            "class_names": list(made.generator.class_names),
            "largest_difference": made.largest_difference,
        },
        made.note,
    )

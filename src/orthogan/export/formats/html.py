"""A web page that draws, as the command line writes it."""

from __future__ import annotations

from pathlib import Path

from orthogan.export import EXPORTERS, Exported


@EXPORTERS.register("html", suffix=".html")
def write_html(source: str, out: Path) -> Exported:
    """One web page that draws by itself, from a double click; checked against PyTorch."""
    from orthogan.export.html import export_html  # PyTorch, which a list of formats can do without

    made = export_html(source, out)
    by = " with ONNX Runtime Web in it" if made.has_runtime else ""
    return Exported(
        f"{out}: {made.size / 1e6:.1f} MB{by}, its pixels at most {made.largest_difference:.2f} "
        f"steps of 255 from those of the model in {made.num_compared} images.",
        {
            "out": str(out),
            "bytes": made.size,
            "classes": made.classes,
            "class_names": list(made.class_names),
            "largest_difference": made.largest_difference,
            "images_compared": made.num_compared,
            "bits": made.bits,
            "runtime": made.has_runtime,
        },
        made.note,
    )

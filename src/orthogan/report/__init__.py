"""Reports: what was found, on one HTML page that needs nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orthogan.report.geometry_page import geometry_report, write_geometry_report

__all__ = ["geometry_report", "write_geometry_report"]


def __getattr__(name: str) -> Any:
    # When first used: the command line imports this package, and torch takes a second.
    if name not in __all__:
        raise AttributeError(f"module 'orthogan.report' has no attribute '{name}'")
    from orthogan.report import geometry_page

    return getattr(geometry_page, name)

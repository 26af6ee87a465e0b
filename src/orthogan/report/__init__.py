"""Reports: what was found, on one HTML page that needs nothing else.

Called, this module is `orthogan.report.run_report.report`: `og.report("runs/mnist")`.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orthogan.report.geometry_page import geometry_report, write_geometry_report
    from orthogan.report.run_report import Report, report

_HOMES = {
    "Report": "run_report",
    "geometry_report": "geometry_page",
    "report": "run_report",
    "write_geometry_report": "geometry_page",
}

__all__ = ["Report", "geometry_report", "report", "write_geometry_report"]


def __getattr__(name: str) -> Any:
    # When first used: the command line imports this package, and torch takes a second.
    if name not in _HOMES:
        raise AttributeError(f"module 'orthogan.report' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(f"orthogan.report.{_HOMES[name]}"), name)


class _Callable(ModuleType):
    """A package that can be called: `og.report` is both."""

    def __call__(self, *runs: Any, **options: Any) -> Any:
        from orthogan.report.run_report import report

        return report(*runs, **options)


sys.modules[__name__].__class__ = _Callable

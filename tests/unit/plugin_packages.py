"""Installed packages that bring parts, as pip leaves them: modules and a `.dist-info` folder."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path

from orthogan import plugins


class Packages:
    """A folder of installed packages, of which the interpreter is told."""

    def __init__(self, site: Path) -> None:
        self.site = site

    def install(
        self,
        name: str,
        points: Mapping[str, Mapping[str, str]],
        modules: Mapping[str, str] | None = None,
    ) -> None:
        """Puts a package in place, version 1.0.

        Args:
            name: What pip calls it.
            points: Its entry points: by group, the module of each name.
            modules: Its modules by name, with their text.
        """
        info = self.site / f"{name.replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        lines = []
        for group, entries in points.items():
            lines.append(f"[orthogan.{group}]")
            lines += [f"{part} = {module}" for part, module in entries.items()]
        (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
        for module, text in (modules or {}).items():
            (self.site / f"{module}.py").write_text(textwrap.dedent(text))
        plugins.forget()

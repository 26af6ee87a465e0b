"""Where a report can be written; known before anything is counted."""

from __future__ import annotations

from pathlib import Path

from orthogan.errors import ConfigError
from orthogan.files import write_file

SUFFIXES = (".html", ".htm")


def write_page(path: Path, text: str) -> Path:
    """Writes a page, entirely or not at all; folders above it are made.

    Raises:
        StorageError: the place cannot be written.
    """
    write_file(path, text.encode("utf-8", "backslashreplace"))
    return path


def check_target(path: Path) -> None:
    """Nothing, if a report can be written at `path`.

    Raises:
        ConfigError: it is a folder, or not named as an HTML file.
    """
    if path.is_dir():
        raise ConfigError(f"{path} is a folder; name a file in it, such as {path / 'report.html'}.")
    if path.suffix.lower() not in SUFFIXES:
        raise ConfigError(
            f"A report is an HTML file, and '{path.name}' does not end in .html; "
            f"name it {path.with_suffix('.html').name}."
        )

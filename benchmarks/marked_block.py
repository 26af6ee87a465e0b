"""A part of a document, between two marks, that a script prints or writes anew."""

from __future__ import annotations

import argparse
import re
from pathlib import Path


def print_or_write(description: str, block: str, mark: str, document: Path) -> None:
    """Prints the block, marks included; with --write, puts it in the place of the old one."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--write", action="store_true")
    if parser.parse_args().write:
        put(block, mark, document)
    else:
        print(block)


def put(block: str, mark: str, document: Path) -> None:
    """Puts the block, marks included, in the place of the old one."""
    old = re.compile(rf"<!-- {mark} -->.*<!-- end of {mark} -->", re.DOTALL)
    document.write_text(old.sub(lambda _: block, document.read_text()))

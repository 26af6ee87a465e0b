"""The pages of the commands in docs/commands/, made from the code.

    python scripts/command_pages.py           # prints what would change
    python scripts/command_pages.py --write   # writes it

A test holds the pages to this, so a page never says what a command does not do.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import typer

from orthogan.cli.app import app

PAGES = Path(__file__).parents[1] / "docs" / "commands"
CODES = """
Exit codes: 0 done, 1 a bug, 2 usage, 3 data or model unusable, 4 diverged or collapsed, 5 out of
memory, 6 the run folder holds another run, 7 a requirement does not hold, 8 another process of the
run was lost, 75 preempted, 130
interrupted. Results go to stdout, progress to stderr; the last line says why it stopped and what to
type next.
"""


def pages() -> dict[str, str]:
    """The text of each page by its file name; `README.md` lists them."""
    commands: dict[str, Any] = typer.main.get_command(app).commands
    made = {f"{name}.md": page(name, command) for name, command in commands.items()}
    lines = ["# Commands", "", "| command | what it does |", "|---|---|"]
    lines += [
        f"| [`orthogan {name}`]({name}.md) | {command.get_short_help_str(200)} |"
        for name, command in commands.items()
    ]
    return {"README.md": "\n".join(lines) + f"\n{CODES}"} | made


def page(name: str, command: Any) -> str:
    """What one command does, its arguments and its options."""
    context = command.make_context(f"orthogan {name}", [], resilient_parsing=True)
    usage = command.get_usage(context).removeprefix("Usage: ")
    lines = [f"# orthogan {name}", "", (command.help or "").strip(), ""]
    lines += ["```", *(line.strip() for line in usage.splitlines()), "```", ""]
    rows = [record for param in command.get_params(context) if (record := row(param, context))]
    lines += ["| option | meaning |", "|---|---|", *rows]
    return "\n".join(lines) + "\n"


def row(param: Any, context: Any) -> str | None:
    """A line of the table; None for what the help does not show."""
    record = param.get_help_record(context)
    if record is None:
        return None
    names, meaning = (" ".join(part.split()).replace("|", "\\|") for part in record)
    return f"| `{names}` | {meaning} |"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true")
    made = pages()
    if parser.parse_args().write:
        PAGES.mkdir(exist_ok=True)
        for name, text in made.items():
            (PAGES / name).write_text(text)
        return 0
    stale = [name for name, text in made.items() if read(PAGES / name) != text]
    print("\n".join(stale) or "All pages are those of the code.")
    return 1 if stale else 0


def read(path: Path) -> str:
    return path.read_text() if path.is_file() else ""


if __name__ == "__main__":
    sys.exit(main())

"""`orthogan generate`: lets a language model go on from a text."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orthogan.cli.amounts import parse_numbers
from orthogan.cli.options import AsJson, Device, Threads, check_device
from orthogan.cli.output import say, show, show_json
from orthogan.errors import ConfigError
from orthogan.files import write_atomic

MOST_NAMED = 10  # pieces of a prompt in one sentence


def generate(
    *,
    model: Annotated[str, typer.Argument(metavar="RUN", help="A language run or bundle.")],
    prompt: Annotated[
        str, typer.Option(metavar="TEXT", help="The beginning. [default: that of a line]")
    ] = "",
    length: Annotated[int, typer.Option(min=1, metavar="N", help="How many tokens follow.")] = 200,
    seeds: Annotated[
        str, typer.Option(metavar="LIST", help="One text a seed, such as 0-3 or 3,7.")
    ] = "0",
    temperature: Annotated[
        float, typer.Option(min=0, metavar="X", help="Below 1: likelier tokens; 0: the likeliest.")
    ] = 1.0,
    top: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Only the N likeliest tokens each time.")
    ] = None,
    device: Device = "auto",
    threads: Threads = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write there what would be shown.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Go on from a text with a trained language model."""
    check_device(device)
    if out is not None and as_json:
        raise ConfigError("--out and --json exclude one another; give one of them.")
    numbers = parse_numbers(seeds)
    from orthogan.language.model import load_language
    from orthogan.language.tokenizer import UNKNOWN

    loaded = load_language(model, device=device, threads=threads)
    if loaded.note:
        say(loaded.note)
    texts = {
        seed: loaded.generate(prompt, length=length, seed=seed, temperature=temperature, top=top)
        for seed in numbers
    }
    unknown = loaded.tokenizer.unknown_pieces(prompt)
    if unknown:
        named = ", ".join(map(ascii, unknown[:MOST_NAMED]))
        more = ", ..." if len(unknown) > MOST_NAMED else ""
        say(f"Not in the model's vocabulary, so read as {UNKNOWN}: {named}{more}.")
    if as_json:
        rows = [{"seed": seed, "text": text} for seed, text in texts.items()]
        show_json({"model": str(loaded.path), "prompt": prompt, "texts": rows})
        return 0
    pages = [_joined(prompt, text, loaded.tokenizer.kind) for text in texts.values()]
    whole = "\n\n".join(pages)
    if out is None:
        show(whole)
    else:
        write_atomic(out, f"{whole}\n".encode(errors="backslashreplace"))
        say(f"Wrote {len(pages)} texts: {out}")
    return 0


def _joined(prompt: str, text: str, kind: str) -> str:
    """The prompt with what follows it; words need a space between."""
    gap = " " if kind == "words" and prompt and text[:1].isalnum() else ""
    return f"{prompt}{gap}{text}"

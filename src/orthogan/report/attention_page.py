"""The page of `look`: attention maps and what heads have in common."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from orthogan.analysis.attention_words import headline
from orthogan.analysis.look_result import Look, NetworkLook
from orthogan.report.attention_sections import attention_sections
from orthogan.report.page import page
from orthogan.report.target import check_target, write_page
from orthogan.report.wording import decimal, short_name
from orthogan.terminal import printable


def attention_page(looks: Sequence[Look], *, command: str | None = None) -> str:
    """Attention maps as one HTML page that needs nothing else: no script, no network.

    Args:
        looks: What was looked at; at least one.
        command: What writes the page again, for its last line; None names the Python call.
    """
    names = ", ".join(short_name(look.source) for look in looks)
    said = [printable(note) for look in looks for note in look.notes]
    return page(
        title=f"What {names} attends to" if len(looks) == 1 else f"Attention of {names}",
        summary=" ".join([_summary(looks), *said]),
        tiles=[_tile(network) for network in looks[0].networks] if len(looks) == 1 else [],
        sections=attention_sections(looks),
        remade_by=printable(
            command or f"write_attention_page([og.look({looks[0].source!r})], path)"
        ),
        numbers={"looks": [look.to_dict() for look in looks]},
        kicker="orthogan look",
    )


def write_attention_page(
    looks: Sequence[Look], path: str | Path, *, command: str | None = None
) -> Path:
    """Writes `attention_page` to a file, entirely or not at all.

    Args:
        looks: What was looked at.
        path: An `.html` file, replaced if it exists; folders above it are made.
        command: What writes the page again.

    Raises:
        ConfigError: the path is a folder, or not named as an HTML file.
        StorageError: the place cannot be written.
    """
    target = Path(path)
    check_target(target)
    text = attention_page(looks, command=command)
    return write_page(target, text)


def _summary(looks: Sequence[Look]) -> str:
    heads = [headline(network).rstrip(":") for look in looks for network in look.networks]
    return f"Looked into: {'; '.join(heads)}."


def _tile(network: NetworkLook) -> tuple[str, str]:
    heads = [head for layer in network.layers for head in layer.heads]
    mean = sum(head.attended for head in heads) / len(heads)
    tokens = network.layers[0].patches.num_tokens
    return decimal(mean), f"of {tokens} tokens attended to at a time by the {network.role}"

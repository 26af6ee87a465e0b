"""What a head does, in plain words."""

from __future__ import annotations

from orthogan.analysis.attention_statistics import HeadStatistics, Patches
from orthogan.analysis.look_result import Look, NetworkLook

EVEN = 0.9995  # of the largest entropy: what is left is no pattern that an image would show
# A head this near to even attention selects nothing worth a direction.
NEARLY_EVEN = 0.95
CLEAR_LIFT = 1.5  # an offset that draws half as much again as the average is worth a word
FAR = 0.1  # of the distance of even attention
CLEAR_DETAIL = 0.15  # of the mean detail
MOST = 0.5  # what explains more than half of a variance is named


def summary(look: Look) -> list[str]:
    """One line a network, and one a head.

    Args:
        look: What was looked at.
    """
    lines = []
    for network in look.networks:
        lines.append(headline(network))
        for number, layer in enumerate(network.layers):
            before = network.untrained[number].heads if network.untrained else ()
            for head, found in enumerate(layer.heads):
                old = before[head] if before else None
                name = f"{layer.name} head {head + 1}"
                lines.append(f"  {name}: {describe(found, layer.patches, old)}")
    return lines


def headline(network: NetworkLook) -> str:
    """What network, over which images."""
    return f"{network.role} ({network.kind}), over {network.seen}:"


def describe(head: HeadStatistics, patches: Patches, before: HeadStatistics | None = None) -> str:
    """One head in one sentence.

    Args:
        head: What it does in common.
        patches: Of its layer.
        before: The same head before training.
    """
    if head.entropy_fraction > EVEN:
        return f"attends evenly to all {patches.num_tokens} tokens."
    parts = [_spread(head, patches.num_tokens, before), _reach(head), _detail(head)]
    parts += [_direction(head), _source(head), _sign(head)]
    if patches.num_class and head.class_fraction > 2 * patches.num_class / patches.num_tokens:
        parts.append(f"{head.class_fraction:.0%} goes to the class token")
    return f"{'; '.join(part for part in parts if part)}."


def _spread(head: HeadStatistics, num_tokens: int, before: HeadStatistics | None) -> str:
    was = "" if before is None else f" ({before.attended:.1f} untrained)"
    evenly = "almost evenly " if head.entropy_fraction > NEARLY_EVEN else ""
    return f"attends {evenly}to {head.attended:.1f} of {num_tokens} tokens at a time{was}"


def _reach(head: HeadStatistics) -> str:
    usual = head.uniform_distance
    if abs(head.distance - usual) <= FAR * usual:
        return "near and far alike"
    word = "mostly near" if head.distance < usual else "mostly far"
    return f"{word} ({head.distance:.1f} patches away; even attention {usual:.1f})"


def _detail(head: HeadStatistics) -> str:
    lift = head.detail_lift
    if lift is None or abs(lift - 1) < CLEAR_DETAIL:
        return ""
    word = "patches with detail" if lift > 1 else "plain patches"
    return f"prefers {word} ({lift:.1f} times the mean detail)"


def _direction(head: HeadStatistics) -> str:
    if head.top_lift < CLEAR_LIFT or head.entropy_fraction > NEARLY_EVEN:
        return ""
    return f"most often {offset_words(head.top_offset)} ({head.top_lift:.1f} times even attention)"


def offset_words(offset: tuple[int, int]) -> str:
    """An offset in words.

    >>> offset_words((0, 0)), offset_words((-1, 2))
    ('itself', '1 up, 2 right')
    """
    down, right = offset
    words = [f"{abs(down)} {'down' if down > 0 else 'up'}"] if down else []
    words += [f"{abs(right)} {'right' if right > 0 else 'left'}"] if right else []
    return ", ".join(words) or "itself"


def _source(head: HeadStatistics) -> str:
    if head.position_fraction is None:  # of a single image nothing is known to be common
        return "" if head.place_fraction is not None else "all weights are equal"
    fixed = f"{head.position_fraction:.0%} of its pattern is the same in every image"
    if (head.place_fraction or 0) > MOST:
        return f"{fixed}, mostly certain patches whoever asks"
    if (head.offset_fraction or 0) > MOST:
        return f"{fixed}, mostly certain offsets, as in a convolution"
    return fixed


def _sign(head: HeadStatistics) -> str:
    if not head.negative_fraction:
        return ""
    return f"{head.negative_fraction:.0%} of its weight is negative"

r"""What more devices give: one formula, from the time of a step on one and the bytes it must send.

$T(N) = C(B/N) + 2 \left( 2 \frac{N - 1}{N} \frac{P}{w} + \lceil \log_2 N \rceil l \right)$

Seconds of a step on N devices: C is the time of one device for its part of the batch, measured and
taken as a straight line; P the bytes of the gradients of one network (of the mean of both), w the
bytes per second of the slowest link, l the delay of a message. Each network's gradients are summed
once a step, over a ring for the bytes (Patarasuk and Yuan 2009) and a tree for the delay; nothing
overlaps, since gradients are sent whole.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

from marked_block import print_or_write

NETWORKS = 2  # whose gradients are sent, one after the other
FLOAT_BYTES = 4


@dataclass(frozen=True, kw_only=True)
class Device:
    """What a step takes on one device.

    Attributes:
        fixed_s: Of a step, whatever the batch.
        image_s: For each image.
    """

    fixed_s: float
    image_s: float

    def seconds(self, images: float) -> float:
        """Of a step on so many images."""
        return self.fixed_s + self.image_s * images


@dataclass(frozen=True, kw_only=True)
class Link:
    """What connects devices: bytes a second, and seconds for a message of none."""

    bytes_per_s: float
    delay_s: float


def fitted(batches: list[int], seconds: list[float]) -> Device:
    """The straight line through measured steps, by least squares.

    >>> device = fitted([16, 32], [3.0, 5.0])
    >>> device.fixed_s, device.image_s
    (1.0, 0.125)
    """
    mean_batch, mean_s = sum(batches) / len(batches), sum(seconds) / len(seconds)
    pairs = list(zip(batches, seconds, strict=True))
    slope = sum((batch - mean_batch) * (s - mean_s) for batch, s in pairs) / sum(
        (batch - mean_batch) ** 2 for batch in batches
    )
    return Device(fixed_s=mean_s - slope * mean_batch, image_s=slope)


def step_s(device: Device, link: Link, parameters: float, batch: float, count: int) -> float:
    """Seconds of a step of `count` devices on a batch.

    Args:
        device: One of them.
        link: Between them.
        parameters: Of one network.
        batch: Images of all together.
        count: How many.
    """
    own = device.seconds(batch / count)
    if count == 1:
        return own
    send = 2 * (count - 1) / count * parameters * FLOAT_BYTES / link.bytes_per_s
    return own + NETWORKS * (send + math.ceil(math.log2(count)) * link.delay_s)


def plan(
    device: Device, link: Link, parameters: float, batch: int, counts: list[int]
) -> list[dict[str, float]]:
    """Images per second, and the fraction of the ideal, with the batch fixed and with it growing.

    >>> one = Device(fixed_s=0.0, image_s=1.0)
    >>> free = Link(bytes_per_s=float("inf"), delay_s=0.0)
    >>> [row["efficiency, same batch"] for row in plan(one, free, 1e6, 64, [1, 64])]
    [1.0, 1.0]
    """
    alone = batch / step_s(device, link, parameters, batch, 1)
    rows = []
    for count in counts:
        # A batch cannot be divided further than into single images.
        used = min(count, batch)
        same = batch / step_s(device, link, parameters, batch, used)
        grown = batch * count / step_s(device, link, parameters, batch * count, count)
        rows.append(
            {
                "devices": count,
                "images/s, same batch": same,
                "efficiency, same batch": same / alone / count,
                "images/s, batch times devices": grown,
                "efficiency, batch times devices": grown / alone / count,
            }
        )
    return rows


# What every device does in full, however small its part of the batch.
FIXED = ("D optimiser", "G optimiser", "average of G", "draws, data, finite checks, watch")
# Assumed, not measured: half of the nominal rate, and the delays that NCCL reports.
LINKS = {
    "100 Gbit/s Ethernet": Link(bytes_per_s=6e9, delay_s=30e-6),
    "NVLink": Link(bytes_per_s=2e11, delay_s=10e-6),
}
SIZES = {"this model": 1.0, "100 times larger": 100.0}
DEVICES = [8, 64, 1024]
PARAMETERS = 5e5  # of each network of the default recipe, about
STEP = Path(__file__).parent / "results" / "step.json"
PAGE = Path(__file__).parents[1] / "docs" / "processes.md"


def recorded(path: Path = STEP) -> tuple[Device, int]:
    """The device of a record of `benchmarks/step.py`, and its batch."""
    record = json.loads(path.read_text(encoding="utf-8"))
    sections, batch = record["sections"], int(record["batch_size"])
    fixed_s = sum(sections[name] for name in FIXED) / 1e6
    return Device(fixed_s=fixed_s, image_s=(sections["step"] / 1e6 - fixed_s) / batch), batch


def faster(device: Device, times: float) -> Device:
    """A device that does everything so many times as fast."""
    return Device(fixed_s=device.fixed_s / times, image_s=device.image_s / times)


def table() -> str:
    """How many times the images per second of one device more devices give."""
    here, batch = recorded()
    devices = {"2 cores": here, "100 times as fast": faster(here, 100)}
    heads = [f"{count:,} devices" for count in DEVICES]
    lines = [
        "<!-- plan -->",
        f"| device | model | link | {' | '.join(heads)} |",
        f"|---|---|---|{'---|' * len(DEVICES)}",
    ]
    for name, device in devices.items():
        for size, times in SIZES.items():
            # The optimizers, which are most of what is fixed, grow with the weights too.
            grown = Device(fixed_s=device.fixed_s * times, image_s=device.image_s * times)
            for link_name, link in LINKS.items():
                rows = plan(grown, link, PARAMETERS * times, batch, DEVICES)
                cells = [_cell(row) for row in rows]
                lines.append(f"| {name} | {size} | {link_name} | {' | '.join(cells)} |")
    return "\n".join([*lines, "<!-- end of plan -->"])


def _cell(row: dict[str, float]) -> str:
    count = row["devices"]
    kinds = ("efficiency, same batch", "efficiency, batch times devices")
    same, grown = (f"{row[kind] * count:,.1f}" for kind in kinds)
    return f"{same}; {grown}"


if __name__ == "__main__":
    print_or_write((__doc__ or "").splitlines()[0], table(), "plan", PAGE)

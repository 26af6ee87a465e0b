"""What `look` returns: the attention of networks over images, as numbers and as pictures."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from PIL import Image
from torch import Tensor

from orthogan.analysis.attention_statistics import HeadStatistics, Patches, moved_fraction
from orthogan.analysis.attention_weights import LayerRecord
from orthogan.analysis.patch_detail import detail_lifts
from orthogan.images.encoding import png
from orthogan.shapes import OtherPixels, Pixels, UnseenPixels

CLASS_TOKEN = "class"  # noqa: S105 - the query that is no patch
# Row and column of a patch, or the class token.
Query: TypeAlias = tuple[int, int] | str


@dataclass(frozen=True, kw_only=True, eq=False)
class LayerLook:
    """The heads of one layer.

    Attributes:
        name: `block 1`, or the module's.
        patches: Which of its tokens are patches.
        heads: What each head does in common over all images.
        shown: Weights `B N T S` of the images that are drawn.
        mean: Mean weights `N T S` over all images.
        attention: The same with rows that sum to one; where they do, equal to `mean`.
    """

    name: str
    patches: Patches
    heads: tuple[HeadStatistics, ...]
    shown: Tensor = field(repr=False)
    mean: Tensor = field(repr=False)
    attention: Tensor = field(repr=False)

    @classmethod
    def of(cls, record: LayerRecord, pixels: Pixels | None = None) -> LayerLook:
        """What a record holds, beside the images that it is of."""
        tally, heads = record.tally, record.tally.statistics()
        if pixels is not None:
            lifts = detail_lifts(record.received, pixels, tally.patches.grid)
            heads = tuple(
                replace(head, detail_lift=lift) for head, lift in zip(heads, lifts, strict=True)
            )
        return cls(
            name=record.name,
            patches=tally.patches,
            heads=heads,
            shown=record.shown,
            mean=tally.mean,
            attention=tally.attention,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class NetworkLook:
    """The attention of one network over one set of images.

    Attributes:
        role: `generator`, `discriminator`, `classifier` or `module`.
        kind: Its kind of network, or its class.
        seen: What the images are, in words.
        num_images: How many there are.
        images: Those that are drawn; None where there are none to draw on.
        captions: One for each of them.
        mean_image: The mean of all images, for the mean maps.
        query: The patch (or class token) whose attention is drawn.
        layers: In order.
        untrained: The same layers before training; empty where they are not known.
        untrained_image: The mean image under the maps of those.
        notes: Plain sentences.
    """

    role: str
    kind: str
    seen: str
    num_images: int
    images: Pixels | None = field(repr=False)
    captions: tuple[str, ...]
    mean_image: OtherPixels | None = field(repr=False)
    query: Query
    layers: tuple[LayerLook, ...]
    untrained: tuple[LayerLook, ...] = ()
    untrained_image: UnseenPixels | None = field(default=None, repr=False)
    notes: tuple[str, ...] = ()

    def moved(self) -> list[list[float]]:
        """By layer and head: how much of the mean attention lies elsewhere than before training."""
        pairs = zip(self.layers, self.untrained, strict=bool(self.untrained))
        return [moved_fraction(now.attention, before.attention) for now, before in pairs]

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries, lists and numbers; `json.dumps` takes it."""
        return {
            "role": self.role,
            "kind": self.kind,
            "seen": self.seen,
            "images": self.num_images,
            "query": self.query if isinstance(self.query, str) else list(self.query),
            "layers": [self._layer(number) for number in range(len(self.layers))],
            "notes": list(self.notes),
        }

    def _layer(self, number: int) -> dict[str, Any]:
        layer = self.layers[number]
        heads = [head.to_dict() for head in layer.heads]
        if self.untrained:
            before, moved = self.untrained[number].heads, self.moved()[number]
            for head, old, far in zip(heads, before, moved, strict=True):
                head |= {"untrained": old.to_dict(), "moved_fraction": far}
        return {
            "name": layer.name,
            "grid": list(layer.patches.grid),
            "class_tokens": layer.patches.num_class,
            "heads": heads,
        }


@dataclass(frozen=True, kw_only=True, eq=False)
class Look:
    """The attention of the networks of one source.

    Attributes:
        source: What was asked for.
        networks: Those that have attention.
        notes: Plain sentences on the source.
    """

    source: str
    networks: tuple[NetworkLook, ...]
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries, lists and numbers; `json.dumps` takes it."""
        networks = [network.to_dict() for network in self.networks]
        return {"source": self.source, "networks": networks, "notes": list(self.notes)}

    def all_notes(self) -> list[str]:
        """What has to be said of the source and of its networks."""
        of_networks = [f"{each.role}: {note}" for each in self.networks for note in each.notes]
        return [*self.notes, *of_networks]

    def summary(self) -> list[str]:
        """What every head does, a sentence each."""
        from orthogan.analysis.attention_words import summary

        return summary(self)

    def picture(self) -> Image.Image:
        """All maps on one sheet; see `orthogan.analysis.attention_sheet`."""
        from orthogan.analysis.attention_sheet import sheet_of

        return sheet_of([self])

    def _repr_png_(self) -> bytes:
        """The sheet, for notebooks."""
        return png(self.picture())

"""Images: where they come from, in which order training sees them, bytes and floats."""

from orthogan.data.catalogue import SOURCES
from orthogan.data.image_set import ImageSet, to_floats, to_pixels
from orthogan.data.order import Order, batch_indices
from orthogan.data.sources import load, settled

__all__ = [
    "SOURCES",
    "ImageSet",
    "Order",
    "batch_indices",
    "load",
    "settled",
    "to_floats",
    "to_pixels",
]

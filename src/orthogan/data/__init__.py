"""Images: where they come from, in which order training sees them, bytes and floats."""

from orthogan.data.api import load_data
from orthogan.data.catalogue import DATA_SETS
from orthogan.data.image_set import ImageSet, to_floats, to_pixels
from orthogan.data.in_memory import ImageSource, source_of
from orthogan.data.order import Order, batch_indices
from orthogan.data.sources import load, resolved

__all__ = [
    "DATA_SETS",
    "ImageSet",
    "ImageSource",
    "Order",
    "batch_indices",
    "load",
    "load_data",
    "resolved",
    "source_of",
    "to_floats",
    "to_pixels",
]

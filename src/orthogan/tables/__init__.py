"""Token tables, position tables and heads of other people's models and word vectors."""

from orthogan.tables.capture import Activations, capture
from orthogan.tables.modules import module_heads
from orthogan.tables.packages import NAMED
from orthogan.tables.read import read_tables
from orthogan.tables.result import Head, Layer, Layers, Tables
from orthogan.tables.save import save_positions

__all__ = [
    "NAMED",
    "Activations",
    "Head",
    "Layer",
    "Layers",
    "Tables",
    "capture",
    "module_heads",
    "read_tables",
    "save_positions",
]

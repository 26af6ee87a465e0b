"""Token tables, position tables and heads of other people's models and word vectors."""

from orthogan.tables.capture import Activations, capture
from orthogan.tables.corpus_words import read_words
from orthogan.tables.meanings import ENGLISH, Tests, find_tests, word_meanings
from orthogan.tables.modules import module_heads
from orthogan.tables.packages import NAMED
from orthogan.tables.read import read_tables
from orthogan.tables.result import Head, Layer, Layers, Tables
from orthogan.tables.save import save_positions

__all__ = [
    "ENGLISH",
    "NAMED",
    "Activations",
    "Head",
    "Layer",
    "Layers",
    "Tables",
    "Tests",
    "capture",
    "find_tests",
    "module_heads",
    "read_tables",
    "read_words",
    "save_positions",
    "word_meanings",
]

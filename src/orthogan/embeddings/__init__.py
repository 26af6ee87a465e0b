"""Token tables, position tables and heads of other people's models and word vectors."""

from orthogan.embeddings.capture import Activations, capture
from orthogan.embeddings.meanings import ENGLISH, Tests, find_tests, word_meanings
from orthogan.embeddings.modules import module_heads
from orthogan.embeddings.packages import NAMED, read_words
from orthogan.embeddings.read import read_tables
from orthogan.embeddings.result import Head, Layer, Layers, Tables
from orthogan.embeddings.save import save_positions

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

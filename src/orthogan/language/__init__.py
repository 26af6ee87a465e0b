"""Language: a text falls into tokens, and a small causal Transformer learns what comes next."""

from orthogan.language.config import LanguageConfig
from orthogan.language.corpus import CORPORA, Corpus, read_corpus
from orthogan.language.scoring import LanguageScore
from orthogan.language.tables import tables_of_language, tables_of_run
from orthogan.language.tokenizer import SPLITTERS, Tokenizer, learn_tokenizer
from orthogan.language.transformer import LanguageNetworkConfig, LanguageTransformer

__all__ = [
    "CORPORA",
    "SPLITTERS",
    "Corpus",
    "LanguageConfig",
    "LanguageNetworkConfig",
    "LanguageScore",
    "LanguageTransformer",
    "Tokenizer",
    "learn_tokenizer",
    "read_corpus",
    "tables_of_language",
    "tables_of_run",
]

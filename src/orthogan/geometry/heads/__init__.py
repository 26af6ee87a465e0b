"""What an attention head compares tokens by: forms, keys, logits, entropy."""

from orthogan.geometry.heads.entropy import (
    EntropyState,
    attention_entropy,
    entropy_bound,
    entropy_reading,
    entropy_state,
    extremal_logits,
    largest_share,
)
from orthogan.geometry.heads.forms import (
    change_of_basis,
    head_forms,
    keys_from_values,
    keys_from_values_defect,
)
from orthogan.geometry.heads.head_entropy import HeadEntropies, head_entropies, largest_shares
from orthogan.geometry.heads.keys import HeadForm, HeadTable, analyze_heads
from orthogan.geometry.heads.logits import FourTerms, cross_terms_vanish, four_terms
from orthogan.geometry.heads.tied import Chain, PreviousToken, previous_token, reversible_chain

__all__ = [
    "Chain",
    "EntropyState",
    "FourTerms",
    "HeadEntropies",
    "HeadForm",
    "HeadTable",
    "PreviousToken",
    "analyze_heads",
    "attention_entropy",
    "change_of_basis",
    "cross_terms_vanish",
    "entropy_bound",
    "entropy_reading",
    "entropy_state",
    "extremal_logits",
    "four_terms",
    "head_entropies",
    "head_forms",
    "keys_from_values",
    "keys_from_values_defect",
    "largest_share",
    "largest_shares",
    "previous_token",
    "reversible_chain",
]

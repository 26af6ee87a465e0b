"""What to say of a setting that does not exist: the settings that may have been meant.

A name is close to another in meaning or it is a slip of the hand. Spelling alone decides only
where next to nothing differs: `momentum` resembles no setting, and means `beta1`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from orthogan.errors import MAX_NAMES, MAX_SHOWN, SettingError, listed, shortened

MOST_SUGGESTED = 6  # a sentence stays readable
SLIP = 0.75  # the least similarity of two spellings of one name: `raet` and `rate` have it

# What other libraries call a setting, and how the dotted names of ours end.
OTHER_NAMES = {
    "learning_rate": "lr step_size lr_g lr_d g_lr d_lr",
    "batch_size": "batch bs batchsize minibatch",
    "budget.images budget.tokens budget.seconds": "epochs epoch steps max_steps num_steps "
    "iterations iters num_epochs minutes duration time",
    "beta1": "momentum",
    "beta1 beta2 beta2_start beta2_end": "betas",
    "weight_decay": "wd decay l2",
    "warm_up": "warmup warmup_steps",
    "width": "dim d_model hidden_dim hidden_size embed_dim n_embd",
    "blocks": "depth layers num_layers n_layers n_layer num_blocks",
    "heads": "num_heads n_heads n_head",
    "latent_size": "z_dim nz latent_dim noise_dim z_size",
    "expansion": "mlp_ratio ffn_mult",
    "data.size": "resolution image_size img_size",
    "data.source": "dataset data_path",
    "network.vocabulary": "vocab vocab_size",
    "network.context": "block_size context_length seq_len max_length",
    "average.half_life_share average.half_life_max average_steps": "ema ema_decay ema_beta",
    "precision": "amp fp16 bf16 dtype mixed_precision",
    "penalty.gamma_start penalty.gamma_end": "r1 r1_gamma gp gp_weight lambda_gp gamma",
    "penalty.kind": "gradient_penalty",
    "loss": "criterion gan_loss adversarial_loss",
    "seed": "random_seed manual_seed",
    "largest_gradient": "clip grad_clip max_grad_norm clip_norm",
    "condition": "conditional class_cond",
    "distortion.strength": "augment augmentation",
    "optimizer.kind": "optimizer optim",
    "positions": "position pos_embedding pos_enc positional_encoding position_encoding",
    "score": "attention attn",
}
_MEANINGS = {
    name: endings.split() for endings, names in OTHER_NAMES.items() for name in names.split()
}


def unknown_setting(name: str, known: Iterable[str], command: str = "") -> SettingError:
    """The error for a dotted name that is no setting.

    Args:
        name: What was given.
        known: Every dotted name that is one.
        command: Of `orthogan`, that shows them; empty: the sentence lists them if they are few.
    """
    names = list(known)
    found = meant(name, names) if len(name) <= MAX_SHOWN else []
    quoted = [f"'{each}'" for each in found]
    hint = f" Did you mean {listed(quoted)}?" if found else ""
    if command:
        hint += f" 'orthogan {command} --dry-run' shows every setting."
    elif len(names) <= MAX_NAMES:
        hint += f" Known: {', '.join(sorted(names))}."
    return SettingError(f"Unknown setting '{shortened(name)}'.{hint}")


def meant(name: str, known: Iterable[str]) -> list[str]:
    """The settings that a wrong name may stand for; none if there is no reason for any.

    In this order: a part of the name is a setting already; another part has a setting of that
    name; other libraries call it so; it has all the words of the name; it is spelled like it.

    >>> settings = ["seed", "g.width", "g_optimizer.learning_rate", "g_optimizer.beta1"]
    >>> meant("width", settings), meant("g.lr", settings), meant("beta3", settings)
    (['g.width'], ['g_optimizer.learning_rate'], [])
    """
    names = list(known)
    parent, _, leaf = name.rpartition(".")
    if parent in names:
        return [parent]
    leaves = {each: each.rpartition(".")[2] for each in names}
    words = set(leaf.split("_"))
    # Numbers are no letters: beta1 and beta2 are two settings.
    slips = [
        each
        for each in difflib.get_close_matches(leaf, leaves.values(), 1, SLIP)
        if _digits(each) == _digits(leaf)
    ]
    endings = _MEANINGS.get(leaf.lower().replace("-", "_"), ())
    for rule in (
        lambda each: leaves[each] == leaf,
        lambda each: any(_ends(each, ending) for ending in endings),
        lambda each: words <= set(leaves[each].split("_")),
        lambda each: leaves[each] in slips and (not parent or _is_near(parent, each)),
    ):
        found = list(filter(rule, names))
        near = [each for each in found if each.startswith(parent) or _is_near(parent, each)]
        if found:
            return (near or found)[:MOST_SUGGESTED]
    return []


def _ends(name: str, ending: str) -> bool:
    return name == ending or name.endswith((f".{ending}", f"_{ending}"))


def _is_near(parent: str, name: str) -> bool:
    """Whether a setting stands where it was looked for, as far as a slip allows."""
    home = name.rpartition(".")[0]
    return bool(difflib.get_close_matches(parent, [home], 1, SLIP))


def _digits(name: str) -> list[str]:
    return re.findall(r"\d", name)

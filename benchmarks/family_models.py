"""Tiny random models of every kind that the transformers library offers, made generically.

A kind's default configuration is shrunk by the names of its settings, the model is built with
random weights, and the inputs it asks for are guessed from the parameters of its `forward`.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

WIDTH, HEADS, VOCABULARY, POSITIONS = 64, 4, 99, 64
LENGTH = 6  # tokens of a text
WORDS = (11, 23)  # the tokens of two runs
IMAGE, PATCH = 32, 8  # pixels; 16 patches
FIRST_SPECIAL = 70  # tokens from here on stand for images, sounds and padding
MAX_PARAMETERS = 30_000_000  # larger ones were not shrunk by any rule

# The first rule whose pattern a setting's name holds says its value; only larger ones shrink.
RULES: tuple[tuple[str, int], ...] = (
    (r"type_vocab_size|num_labels|num_channels|num_mel_bins|in_chans|in_channels|kernel|stride", 0),
    (r"image_size$|^img_size|^input_size$|image_resolution", IMAGE),
    (r"patch_size", PATCH),
    (r"vocab", VOCABULARY),
    (r"max_source_positions|max_2d_position|max_3d_position", 0),
    (r"position|n_ctx|n_positions|max_seq|max_len|seq_len|context_length|max_target", POSITIONS),
    (r"num_key_value_heads|num_kv_heads|kv_heads|kv_n_heads|multi_query_group", 2),
    (r"head_dim|v_head|d_kv|kv_channels|head_size|key_size|qk_.*dim|attention_key_len", 16),
    (r"heads?$|n_head|num_head", HEADS),
    (r"num_experts_per_tok|topk|top_k|moe_k", 2),
    (r"n_group", 1),
    (r"shared_experts", 1),
    (r"experts?$|num_local_experts|n_routed|moe_num", 4),
    (r"_rank$|rank_", 16),
    (r"first_k_dense|interval|every|_freq$|_step$", 0),
    (r"layers$|n_layers?$|_layers?$|num_layers|depth$|num_blocks|num_block", 2),
    (r"ffn|intermediate|mlp_dim|d_ff|inner|feed_forward|dim_feedforward", 2 * WIDTH),
    (r"rotary_dim|rope_dim", 16),
    (r"n_groups|state_size|d_state", 4),
    (r"hidden|d_model|embd|embed|width|dim|channels|size", WIDTH),
)
# Settings whose defaults would hide what they do.
TELLING: dict[str, Any] = {
    "scale_embedding": True, "rescale_embeddings": True, "embedding_multiplier": 3.0,
    "scale_emb": 3.0, "use_cache": False, "mask_ratio": 0.0,
}  # fmt: skip
# What no name says: settings that have to fit the others, by kind.
FITTING: dict[str, dict[str, Any]] = {
    "big_bird": {"attention_type": "original_full"},
    "bigbird_pegasus": {"attention_type": "original_full"},
    "esm": {"vocab_size": VOCABULARY, "mask_token_id": 4, "pad_token_id": 3},
    "xlnet": {"d_head": WIDTH // HEADS},
    "xmod": {"default_language": "en_XX"},
    "gpt_neo": {
        "attention_types": [[["global", "local"], 1]],
        "num_layers": 2,
        "attention_layers": ["global", "local"],
    },
    "longformer": {"attention_window": [4, 4]},
    "led": {"attention_window": [4, 4]},
}


def shrink(config: Any) -> Any:
    """A configuration of the library with every setting shrunk in place, and those inside it."""
    kind = getattr(config, "model_type", "")
    special = FIRST_SPECIAL
    for name, value in list(vars(config).items()):
        if hasattr(value, "model_type") and hasattr(value, "to_dict"):
            shrink(value)
        elif name in TELLING:
            _set(config, name, TELLING[name])
        elif name.endswith(("token_id", "token_index")) and isinstance(value, int):
            if value >= FIRST_SPECIAL:
                special += 1
                _set(config, name, special)
        elif name not in {"model_type", "transformers_version"} and not name.startswith("_"):
            smaller = _smaller(name, value)
            if smaller is not value:
                _set(config, name, smaller)
    _fit_rotary(config)
    if getattr(config, "kv_lora_rank", None) and hasattr(config, "num_key_value_heads"):
        _set(config, "num_key_value_heads", HEADS)  # each head unpacks keys of its own
    if type(getattr(config, "pad_token_id", None)) is int:
        _set(config, "pad_token_id", 3)  # not the default, from which rows are counted
    for name, value in FITTING.get(kind, {}).items():
        setattr(config, name, value)
    return config


def _set(config: Any, name: str, value: Any) -> None:
    try:
        setattr(config, name, value)
    except (AttributeError, NotImplementedError, TypeError, ValueError):
        return  # derived from others


def _smaller(name: str, value: Any) -> Any:
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    if isinstance(value, list | tuple) and value:
        if re.search(r"^depths$|num_blocks|layers_per", name) and isinstance(value[0], int):
            return type(value)(1 for _ in value)
        if name in {"layer_types", "mlp_layer_types", "layers_block_type", "block_types"}:
            return type(value)(value[:1]) * 1 + type(value)(value[-1:])
        if re.search(r"num_(attention_)?heads$", name):
            return type(value)(2 for _ in value)
        if re.search(r"image_size$|patch_size", name) and all(isinstance(v, int) for v in value):
            return type(value)(_smaller(name, part) for part in value)
        return value
    if not is_whole:
        return value
    for pattern, size in RULES:
        if re.search(pattern, name):
            return min(value, size) if size else value
    return value


def _fit_rotary(config: Any) -> None:
    """Shares of the planes of a turn, three in some models, add up to half a head's size."""
    for name in ("rope_parameters", "rope_scaling"):
        found = getattr(config, name, None)
        if isinstance(found, dict) and isinstance(found.get("mrope_section"), list):
            parts = len(found["mrope_section"])
            found["mrope_section"] = [2, 3, 3] if parts == 3 else [8 // parts] * parts


def randomize(model: nn.Module, seed: int = 0) -> None:
    """Gives every parameter that starts constant random values, so that no sum hides a term."""
    source = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if not parameter.is_floating_point() or parameter.numel() == 0:
                continue
            is_constant = bool((parameter == parameter.flatten()[0]).all())
            is_scale = parameter.dim() <= 1 and not name.endswith("bias")
            if not bool(parameter.isfinite().all()) or (is_constant and not is_scale):
                parameter.copy_(0.1 * torch.randn(parameter.shape, generator=source))
        for module in model.modules():
            # The row of a padding token is zero, and stays so in the library only by training.
            if isinstance(module, nn.Embedding) and module.weight.dim() == 2:
                bad = ~module.weight.isfinite().all(1)
                module.weight[bad] = 0.0


def text_inputs(model: nn.Module, token: int) -> dict[str, Any]:
    """A text of one token over and over, for every parameter that takes tokens."""
    ids = torch.full((1, LENGTH), token)
    return {"input_ids": ids} | (
        {"decoder_input_ids": ids} if "decoder_input_ids" in _parameters(model) else {}
    )


def image_inputs(config: Any, pixel: int) -> dict[str, Any]:
    """An image whose patches are alike: one pixel of each is lit."""
    channels, rows, cols = _image_shape(config)
    size = patch_size(config)
    patch = torch.zeros(channels * size * size)
    patch[pixel] = 1.0
    whole = patch.view(channels, size, size).repeat(1, rows // size, cols // size)
    return {"pixel_values": whole[None]}


def pixels_of(config: Any) -> tuple[int, int]:
    """The pixels of a patch that are lit in two runs; both lie in the smallest patches."""
    return (5, 60) if patch_size(config) >= PATCH else (5, 40)


def patch_size(config: Any) -> int:
    """Pixels along a patch of a model of images."""
    found = _find(config, "patch_size") or PATCH
    return int(found[-1] if isinstance(found, list | tuple) else found)


def _image_shape(config: Any) -> tuple[int, int, int]:
    size = _find(config, "image_size") or IMAGE
    rows, cols = (size, size) if isinstance(size, int) else (size[0], size[-1])
    return int(_find(config, "num_channels") or 3), int(rows), int(cols)


def _find(config: Any, name: str) -> Any:
    found = getattr(config, name, None)
    return (
        found if found is not None else getattr(getattr(config, "vision_config", None), name, None)
    )


def inputs_of(model: nn.Module, config: Any) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Ways to run a model with contents that differ in one token: its kind, and the inputs."""
    names = _parameters(model)
    tokens = WORDS
    if "input_ids" in names or "decoder_input_ids" in names:
        texts = [text_inputs(model, token) for token in tokens]
        texts = [{k: v for k, v in each.items() if k in names} for each in texts]
        yield "text", texts
        for extra in _companions(names, config):
            yield "text", [each | extra for each in texts]
    if {"x", "pixel_values"} & names and "input_ids" not in names:
        images = [image_inputs(config, pixel) for pixel in pixels_of(config)]
        if "noise" in names:  # it orders the patches, which are masked in this order
            patches = (IMAGE // patch_size(config)) ** 2
            images = [each | {"noise": torch.arange(float(patches))[None]} for each in images]
        if "x" in names:  # timm and torchvision
            images = [{"x": each["pixel_values"]} for each in images]
        yield "image", images


def _companions(names: set[str], config: Any) -> Iterator[dict[str, Any]]:
    """What models of several kinds of input want beside their text."""
    if "pixel_values" in names:
        yield {"pixel_values": torch.zeros(1, *_image_shape(config))}
    if "input_features" in names:
        mel = _find(config, "num_mel_bins") or 80
        length = 2 * (_find(config, "max_source_positions") or 32)
        yield {"input_features": torch.zeros(1, int(mel), int(length))}
        yield {"input_features": torch.zeros(1, 32, int(mel))}
    if "visual_feats" in names:
        size = int(_find(config, "visual_feat_dim") or WIDTH)
        yield {"visual_feats": torch.zeros(1, 2, size), "visual_pos": torch.zeros(1, 2, 4)}
    if "bbox" in names:
        yield {"bbox": torch.zeros(1, LENGTH, 4, dtype=torch.long)}
    if "input_values" in names:
        yield {"input_values": torch.zeros(1, 4000)}


def _parameters(model: nn.Module) -> set[str]:
    return set(inspect.signature(model.forward).parameters)


def events(model: nn.Module, inputs: dict[str, Any]) -> list[tuple[str, Tensor]]:
    """Every floating point tensor that goes into or out of a module, in order, as `T D`."""
    found: list[tuple[str, Tensor]] = []

    def note(name: str, value: Any) -> None:
        if isinstance(value, Tensor):
            flat = _as_rows(value)
            if flat is not None:
                found.append((name, flat))
        elif isinstance(value, dict):
            for part in value.values():
                note(name, part)
        elif isinstance(value, list | tuple):
            for part in value:
                note(name, part)

    def before(name: str) -> Any:
        return lambda _, args, kwargs: (note(f"{name} <", args), note(f"{name} <", kwargs), None)[2]

    def after(name: str) -> Any:
        return lambda _, __, out: (note(f"{name} >", out), None)[1]

    handles: list[Any] = []
    for name, module in model.named_modules():
        handles.append(module.register_forward_pre_hook(before(name), with_kwargs=True))
        handles.append(module.register_forward_hook(after(name)))
    try:
        with torch.no_grad():
            model(**inputs)
    finally:
        for handle in handles:
            handle.remove()
    return found


def _as_rows(value: Tensor) -> Tensor | None:
    if not value.is_floating_point() or value.numel() > 4_000_000:
        return None
    value = value.detach()
    if value.dim() == 3 and value.shape[0] == 1:
        return value[0].clone()
    if value.dim() == 3 and value.shape[1] == 1 and value.shape[0] == LENGTH:
        return value[:, 0].clone()  # (tokens, batch, width)
    if value.dim() == 2 and value.shape[0] == LENGTH:
        return value.clone()
    if value.dim() == 4 and value.shape[0] == 1:  # a grid with its channels first or last
        first = value.shape[2] == value.shape[3] and value.shape[1] != value.shape[2]
        return value[0].flatten(1).T.clone() if first else value[0].flatten(0, 1).clone()
    return None

"""The families that are known, by the `model_type` of their configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from orthogan.embeddings.families.family import (
    ALIBI,
    ORDERED,
    RELATIVE,
    ROTARY,
    Config,
    Family,
    FamilyRule,
    Formula,
    after_padding,
    factor,
    rooted,
    rooted_if,
    row,
    switched,
)

ROTARY_SETTINGS = (
    "rope_theta", "rope_parameters", "rope_scaling", "rotary_pct", "rotary_dim", "rotary_emb_base",
    "global_rope_theta",
)  # fmt: skip
# Values of `position_embedding_type` for which BERT and its kin leave their table unused.
INSIDE = {
    "relative_key": RELATIVE, "relative_key_query": RELATIVE, "rotary": ROTARY, "rope": ROTARY,
    "alibi": ALIBI,
}  # fmt: skip

PLAIN = Family()
TURNED = Family("none", ROTARY)
BIASED = Family("none", RELATIVE)
SLOPED = Family("none", ALIBI)
RECURRENT = Family("none", ORDERED)
COUNTED = Family(first_row=after_padding)
FAIRSEQ = Formula(reaches_end=True)
HASHED = Family("refused", "it sums rows of several hash tables for each character")
JOINED = Family("refused", "rows of several tables are joined for each token and projected")
NORMED = Family("refused", "its patches are normalized before the sum, so no pixel has a row")
AXIAL = Family("refused", "its codes are a table for rows joined to a table for columns")

# One line a kind of sum; the names are those of `model_type`, with '_' for '-'.
_GROUPS: tuple[tuple[FamilyRule, str], ...] = (
    (PLAIN, """
        bert gpt2 gpt_neo gpt_bigcode gpt_sw3 openai_gpt imagegpt albert electra distilbert
        squeezebert convbert rembert megatron_bert fnet ernie git tapas
        layoutlm layoutlmv2 lxmert visual_bert xlm flaubert bert_generation vilt splinter nezha dpr
        clip clip_text_model chinese_clip_text_model siglip_text_model siglip2_text_model
        blip_text_model flava_text_model groupvit_text_model owlvit_text_model owlv2_text_model
        x_clip_text_model aimv2_text_model metaclip_2_text_model clipseg_text_model
        led whisper qdqbert decision_transformer
        vit deit vit_mae vit_msn dinov2 dinov2_with_registers ijepa flava_image_model
        clip_vision_model siglip_vision_model blip_vision_model chinese_clip_vision_model
        metaclip_2_vision_model owlvit_vision_model owlv2_vision_model
        altclip_vision_model git_vision_model clipseg_vision_model granite_docling_vision
        idefics3_vision idefics2_vision smolvlm_vision internvl_vision pixio
        qianfan_ocr_vision tipsv2_vision_model
        sam3_vit_model
    """),
    (Family(scale=rooted_if("rescale_embeddings", False)), "big_bird"),
    (Family(scale=rooted_if("scale_embedding", False)), "blenderbot blenderbot_small"),
    (switched("is_hybrid", False, Family("refused", "its patches come out of a convolutional "
                                         "network"), PLAIN), "dpt"),
    (switched("position_biased_input", True, PLAIN, BIASED), "deberta deberta_v2"),
    (switched("use_absolute_position_embeddings", False, PLAIN, BIASED), "beit data2vec_vision"),
    (switched("use_absolute_embeddings", False, PLAIN, BIASED), "swin swinv2 donut_swin"),
    (COUNTED, """
        roberta xlm_roberta xlm_roberta_xl camembert longformer prophetnet luke mluke data2vec_text
        roberta_prelayernorm ibert xmod layoutlmv3 lilt markuplm altclip_text_model clap_text_model
        bridgetower_text_model bridgetower esm
    """),
    (Family(first_row=row(2)), "mra nystromformer yoso mpnet"),
    (Family(first_row=row(2), projection="project_in.weight"), "opt"),
    (Family(first_row=row(2), scale=rooted_if("scale_embedding", False)), "bart mbart mvp trocr"),
    (Family(first_row=row(2), scale=rooted_if("scale_embedding", True)),
     "plbart biogpt pp_formulanet"),
    (Family(scale=rooted_if("scale_embedding", True)), "bigbird_pegasus"),
    (Family("computed", formula=Formula(), scale=rooted_if("scale_embedding", False)),
     "marian pegasus"),
    (Family("computed", formula=FAIRSEQ, scale=rooted_if("scale_embedding", True)), "pegasus_x"),
    (Family("computed", formula=FAIRSEQ, scale=rooted_if("scale_sqrt_depth", True)),
     "tipsv2_text_model"),
    (Family("computed", formula=replace(FAIRSEQ, is_padding_zero=True), first_row=row(2),
            scale=rooted_if("scale_embedding", True)), "xglm"),
    (Family("computed", formula=FAIRSEQ, first_row=after_padding,
            scale=rooted_if("scale_embedding", True)),
     "m2m_100 nllb_moe fsmt speech_to_text kosmos_2_text_model kosmos_2_5_text_model"),
    (Family("computed", formula=FAIRSEQ, first_row=after_padding, tokens="shared.weight",
            scale=rooted_if("scale_embedding", True)), "seamless_m4t seamless_m4t_v2"),
    (Family("computed", formula=Formula(), scale=rooted, tokens="w.weight"), "ctrl"),
    (Family("none", ROTARY, scale=rooted), """
        gemma gemma2 gemma3 gemma3_text gemma3n gemma3n_text gemma4 gemma4_text gemma4_unified
        gemma4_unified_text recurrent_gemma vaultgemma embedding_gemma2 embedding_gemma2_text
        t5gemma t5_gemma_module t5gemma2 t5gemma2_text t5gemma2_encoder t5gemma2_decoder
        diffusion_gemma diffusion_gemma_text
    """),
    (switched("mup_enabled", False, Family("none", ROTARY, scale=rooted), TURNED), "afmoe"),
    (Family("none", ROTARY, scale=factor("embedding_multiplier")), """
        granite granitemoe granitemoeshared granitemoehybrid falcon_h1 hyperclovax granite_swa
        granitemoe_swa granite_docling granite_docling_text granite4_vision granite4_vision_text
    """),
    (Family("none", ROTARY, scale=factor("scale_emb")), "minicpm3 minicpm"),
    (Family("none", ROTARY, scale=factor("embedding_scale")), "hrm_text"),
    (switched("alibi", False, SLOPED, TURNED), "falcon"),
    (Family("none", ROTARY, tokens="embed_tokens.weight"), "evolla"),
    (TURNED, """
        gptj codegen roformer gpt_neox gpt_neox_japanese llama mistral mixtral qwen2 qwen3 phi phi3
        olmo olmo2 stablelm starcoder2 persimmon cohere cohere2 modernbert dinov3_vit
    """),
    (BIASED, """
        t5 mt5 umt5 longt5 switch_transformers xlnet funnel udop pop2piano cpmant
        pix2struct_text_model
    """),
    (SLOPED, "bloom mpt"),
    (RECURRENT, "mamba mamba2 falcon_mamba rwkv xlstm jamba nemotron_h kimi_linear zamba"),
    (HASHED, "canine"),
    (AXIAL, "reformer"),
    (JOINED, "mobilebert roc_bert"),
    (NORMED, "aimv2_vision_model"),
)  # fmt: skip
FAMILIES: Mapping[str, FamilyRule] = {
    name: family for family, names in _GROUPS for name in names.split()
}


def known_families() -> list[str]:
    """The kinds of models in the table, in alphabetical order."""
    return sorted(FAMILIES)


def is_known(kind: str) -> bool:
    """Whether a kind is in the table, rather than recognised by a setting.

    >>> is_known("xlm-roberta"), is_known("my-model")
    (True, False)
    """
    return kind.replace("-", "_") in FAMILIES


def family_of(kind: str | None, config: Config) -> Family | None:
    """The family of a model, or None where it is not known.

    Args:
        kind: The `model_type` of the part of the model in question.
        config: The settings of that part.

    >>> family_of("bert", {"position_embedding_type": "relative_key"}).codes
    'none'
    >>> family_of("my-model", {}) is None
    True
    """
    rule = FAMILIES.get(kind.replace("-", "_")) if kind is not None else None
    found = rule if rule is None or isinstance(rule, Family) else rule(config)
    inside = config.get("position_embedding_type")
    if isinstance(inside, str) and inside in INSIDE and (found is None or found.codes != "none"):
        return Family("none", INSIDE[inside])
    if found is None and any(config.get(key) is not None for key in ROTARY_SETTINGS):
        return TURNED
    return found

"""Which arithmetic a run gets."""

from __future__ import annotations

import pytest
import torch

from orthogan.training.precision import autocast, has_native_bfloat16, resolve_precision

CPU = torch.device("cpu")


@pytest.fixture(params=[(False, False), (True, False), (False, True)], ids=["none", "avx", "amx"])
def has_bfloat16(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    avx, amx = request.param
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    return bool(avx or amx)


def test_auto_follows_the_processor(has_bfloat16: bool) -> None:
    assert has_native_bfloat16(CPU) is has_bfloat16
    assert resolve_precision("auto", CPU) == ("bfloat16" if has_bfloat16 else "float32")


def test_what_was_asked_for_is_what_one_gets(has_bfloat16: bool) -> None:
    assert resolve_precision("float32", CPU) == "float32"
    assert resolve_precision("bfloat16", CPU) == "bfloat16"


def test_devices_without_the_instructions_get_float32() -> None:
    assert resolve_precision("auto", torch.device("meta")) == "float32"


def test_this_processor_gives_an_answer() -> None:
    assert has_native_bfloat16(CPU) in (True, False)


@pytest.mark.parametrize(
    ("precision", "dtype"), [("float32", torch.float32), ("bfloat16", torch.bfloat16)]
)
def test_the_context_sets_the_type_of_products(precision: str, dtype: torch.dtype) -> None:
    with autocast(precision, CPU):  # type: ignore[arg-type]
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == dtype
    assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32

"""Small random models of timm and torchvision, saved as their own libraries save them.

torchvision's wheel belongs to one build of PyTorch. Beside another one its compiled operators are
missing and it cannot be imported; none of the models here calls them, so two are declared first.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import re
from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

TIMM, TORCHVISION = "timm/", "torchvision/"
MAX_PARAMETERS = 100_000_000  # most cannot be shrunk, and run once
SHAPES = 8  # of state dicts in one file of timm; its models differ by them, others in size alone
ATTENDING = re.compile(r"pos_embed|rope|relative_position|rel_pos|class \w*Attention|cls_token")
DEPTH = 2  # blocks, where a model can be asked for so few
_DECLARED: list[torch.library.Library] = []


def libraries() -> dict[str, str]:
    """The installed ones of both libraries and their versions, imported."""
    found = {}
    for name in ("torchvision", "timm"):
        if importlib.util.find_spec(name) is None:
            continue
        if name == "torchvision":
            _declare()
        found[name] = str(importlib.import_module(name).__version__)
    return found


def _declare() -> None:
    if _DECLARED or hasattr(torch.ops.torchvision, "nms"):
        return
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _DECLARED.append(library)


def vision_kinds() -> list[str]:
    """Models of both libraries that attend, or have positions: a small one of every shape."""
    found = libraries()
    kinds = []
    if "timm" in found:
        kinds += [TIMM + name for name in _timm_names()]
    if "torchvision" in found:
        kinds += [TORCHVISION + name for name in ("vit_b_16", "swin_t", "swin_v2_t", "maxvit_t")]
    return kinds


def _timm_names() -> list[str]:
    import timm
    from timm.models import model_entrypoint

    files: dict[Any, list[str]] = defaultdict(list)
    for name in timm.list_models():
        files[inspect.getmodule(model_entrypoint(name))].append(name)
    chosen: list[str] = []
    for file, names in files.items():
        if not ATTENDING.search(inspect.getsource(file)):
            continue
        smallest: dict[Any, tuple[int, str]] = {}
        for name in names:
            try:
                with torch.device("meta"):
                    model = _timm(name)
            except Exception:  # noqa: BLE001 - another one of its shape will do
                continue
            size = sum(part.numel() for part in model.parameters())
            shape = frozenset(part for part in model.state_dict() if part.count(".") < DEPTH)
            smallest[shape] = min(smallest.get(shape, (size, name)), (size, name))
        chosen += [name for _, name in sorted(smallest.values())[:SHAPES]]
    return chosen


def _timm(name: str) -> nn.Module:
    import timm

    try:
        shallow: nn.Module = timm.create_model(name, depth=DEPTH)
    except (TypeError, ValueError, AssertionError, AttributeError, IndexError):
        whole: nn.Module = timm.create_model(name)
        return whole
    return shallow


def make_vision(kind: str) -> tuple[nn.Module, SimpleNamespace]:
    """A random model, and what its images are like.

    Raises:
        LookupError: it is too large, or has no patches.
    """
    libraries()
    if kind.startswith(TIMM):
        name = kind.removeprefix(TIMM)
        model = _timm(name)
        size = model.default_cfg["input_size"][-1]  # type: ignore[index,union-attr]
    else:
        import torchvision

        make = getattr(torchvision.models, kind.removeprefix(TORCHVISION))
        model, size = make(weights=None), 224
    number = sum(part.numel() for part in model.parameters())
    if number > MAX_PARAMETERS:
        raise LookupError(f"still {number:,} parameters after shrinking")
    return model.eval(), SimpleNamespace(
        image_size=size, patch_size=_patch_size(model), num_channels=3
    )


def _patch_size(model: nn.Module) -> int:
    """The step of the first convolution whose windows do not overlap."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            if module.kernel_size == module.stride:
                return int(module.kernel_size[0])
            raise LookupError("its first convolution has windows that overlap: no patches")
        if isinstance(module, nn.Linear) and module.in_features % 3 == 0:
            return round((module.in_features / 3) ** 0.5)
    raise LookupError("no patches")


def save_vision(kind: str, model: nn.Module, folder: Path) -> None:
    """The checkpoint of a model as its library writes it."""
    if kind.startswith(TIMM):
        from timm.models import save_for_hf

        save_for_hf(model, str(folder), safe_serialization=True)
        return
    tensors: dict[str, Tensor] = {n: v.contiguous().clone() for n, v in model.state_dict().items()}
    save_file(tensors, folder / "model.safetensors")

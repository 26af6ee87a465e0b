"""Tables in safetensors files: what is found, what is refused before it is parsed."""

from __future__ import annotations

import json
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from orthogan.embeddings import read_tables, safetensors_file
from orthogan.embeddings.positions import ROTARY
from orthogan.errors import ConfigError, DataError, ShapeError, UnknownNameError

SOURCE = torch.Generator().manual_seed(0)
TOKENS = torch.randn(7, 4, generator=SOURCE)
POSITIONS = torch.randn(5, 4, generator=SOURCE)


def model(path: Path, config: dict[str, Any] | None = None, **tensors: Tensor) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name.replace("__", "."): values.clone() for name, values in tensors.items()}, path)
    if config is not None:
        (path.parent / "config.json").write_text(json.dumps(config))
    return path


def raw(path: Path, header: Any, data: bytes = b"") -> Path:
    content = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(content)) + content + data)
    return path


@pytest.mark.parametrize(
    ("tokens", "positions"),
    [
        ("embeddings.word_embeddings.weight", "embeddings.position_embeddings.weight"),
        ("bert.embeddings.word_embeddings.weight", "bert.embeddings.position_embeddings.weight"),
        ("wte.weight", "wpe.weight"),
        ("transformer.wte.weight", "transformer.wpe.weight"),
        ("model.decoder.embed_tokens.weight", "model.decoder.embed_positions.weight"),
        ("text_model.embeddings.token_embedding.weight", "text_model.position_embedding.weight"),
        ("embedding", "positions"),
        ("tokens", "position"),
    ],
)
@pytest.mark.parametrize("suffix", ["model.safetensors", "weights.bin"])
def test_names_of_the_model_libraries(
    tmp_path: Path, tokens: str, positions: str, suffix: str
) -> None:
    path = tmp_path / suffix
    save_file({tokens: TOKENS, positions: POSITIONS, "other.weight": torch.ones(9, 9)}, path)
    tables = read_tables(path)
    assert torch.equal(tables.tokens, TOKENS)
    assert tables.positions is not None
    assert torch.equal(tables.positions, POSITIONS)
    assert (tables.source, len(tables.heads), tables.labels) == (str(path), 0, None)
    assert read_tables(path, limit=3).tokens.tolist() == TOKENS[:3].tolist()


def test_tensors_can_be_named(tmp_path: Path) -> None:
    path = model(tmp_path / "a.safetensors", wte__weight=TOKENS, x__y=TOKENS + 1, z=POSITIONS[None])
    tables = read_tables(path, embedding="x.y", positions="z")
    assert torch.equal(tables.tokens, TOKENS + 1)
    assert tables.positions is not None
    assert torch.equal(tables.positions, POSITIONS)
    with pytest.raises(UnknownNameError, match=r"Unknown tensor of .*'x\.z'\. Did you mean 'x\.y'"):
        read_tables(path, embedding="x.z")
    with pytest.raises(UnknownNameError, match="'zz'"):
        read_tables(path, positions="zz")


def test_named_tensors_that_are_no_tables(tmp_path: Path) -> None:
    path = model(
        tmp_path / "a.safetensors", wte__weight=TOKENS, v=torch.ones(4), wide=torch.ones(5, 6),
        cube=torch.ones(2, 5, 4), whole=torch.ones(5, 4, dtype=torch.int64), none=torch.ones(0, 4),
    )  # fmt: skip
    with pytest.raises(ShapeError, match=r"'v' has shape \(4,\)"):
        read_tables(path, embedding="v")
    with pytest.raises(ShapeError, match=r"'cube' has shape \(2, 5, 4\)"):
        read_tables(path, positions="cube")
    with pytest.raises(ShapeError, match="tokens have width 4, positions 6"):
        read_tables(path, positions="wide")
    with pytest.raises(DataError, match="'whole' is stored as I64"):
        read_tables(path, embedding="whole")
    with pytest.raises(ShapeError, match="at least one column"):
        read_tables(path, embedding="none")


def test_a_recognised_position_table_of_another_width_is_left_out(tmp_path: Path) -> None:
    path = model(tmp_path / "a.safetensors", wte__weight=TOKENS, wpe__weight=torch.ones(5, 6))
    tables = read_tables(path)
    assert tables.positions is None
    assert "'wpe.weight' has width 6, the tokens 4" in tables.notes[0]


def test_one_matrix_is_the_table_and_several_are_not(tmp_path: Path) -> None:
    tables = read_tables(model(tmp_path / "a.safetensors", w=TOKENS, b=torch.ones(3)))
    assert torch.equal(tables.tokens, TOKENS)
    assert tables.notes[0] == "The only matrix, 'w', was taken as the token table."
    with pytest.raises(DataError, match=r"name one with embedding=\..*Known: u, w"):
        read_tables(model(tmp_path / "b.safetensors", w=TOKENS, u=TOKENS))
    with pytest.raises(DataError, match="Quantised tables are not read"):
        read_tables(model(tmp_path / "c.safetensors", w=TOKENS.char()))


def test_of_several_tables_the_first_is_taken_and_noted(tmp_path: Path) -> None:
    path = model(
        tmp_path / "a.safetensors", b__wte__weight=TOKENS, a__wte__weight=TOKENS + 1,
        b__wpe__weight=POSITIONS, a__wpe__weight=POSITIONS + 1,
    )  # fmt: skip
    tables = read_tables(path)
    assert torch.equal(tables.tokens, TOKENS + 1)
    assert tables.notes[0].startswith("Several token tables: a.wte.weight, b.wte.weight; 'a.wte")
    beside = read_tables(path, embedding="b.wte.weight").positions
    assert beside is not None
    assert torch.equal(beside, POSITIONS)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_number_types(tmp_path: Path, dtype: torch.dtype) -> None:
    tables = read_tables(model(tmp_path / "a.safetensors", wte__weight=TOKENS.to(dtype)))
    assert torch.equal(tables.tokens.to(dtype), TOKENS.to(dtype))
    is_half = dtype.itemsize == 2
    assert tables.tokens.dtype == (torch.float32 if is_half else torch.float64)
    assert any("turned to float32" in note for note in tables.notes) == is_half


def test_values_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    broken = TOKENS.clone()
    broken[3, 1] = float("nan")
    path = model(tmp_path / "a.safetensors", wte__weight=broken, wpe__weight=POSITIONS / 0)
    with pytest.raises(DataError, match="NaN or infinite values, first in row 3"):
        read_tables(path)
    with pytest.raises(DataError, match=r"position table holds NaN or infinite .* row 0"):
        read_tables(path, limit=3)


PADDED = torch.arange(66.0)[:, None] * torch.ones(4)


@pytest.mark.parametrize(
    ("config", "name", "first"),
    [
        ({"model_type": "roberta", "pad_token_id": 1}, "wpe.weight", 2),
        ({"model_type": "xlm-roberta", "pad_token_id": 3}, "wpe.weight", 4),
        ({"model_type": "camembert"}, "wpe.weight", 2),
        ({"model_type": "opt", "pad_token_id": 9}, "wpe.weight", 2),
        ({"model_type": "bert", "pad_token_id": 1}, "wpe.weight", 0),
        ({"text_config": {"model_type": "roberta", "pad_token_id": 1}}, "wpe.weight", 2),
        (None, "wpe.weight", 2),
        ({}, "wpe.weight", 2),
    ],
)
def test_padding_rows_are_no_positions(
    tmp_path: Path, config: dict[str, Any] | None, name: str, first: int
) -> None:
    path = model(tmp_path / "a.safetensors", config, wte__weight=TOKENS, **{name: PADDED})
    tables = read_tables(path)
    assert tables.positions is not None
    assert tables.positions[:, 0].tolist() == list(range(first, 66))
    assert any("padding" in note for note in tables.notes) == (first > 0)


def test_only_padding(tmp_path: Path) -> None:
    config = {"model_type": "roberta", "pad_token_id": 65}
    path = model(tmp_path / "a.safetensors", config, wte__weight=TOKENS, wpe__weight=PADDED)
    with pytest.raises(ShapeError, match="66 rows, of which 66 are padding"):
        read_tables(path)


@pytest.mark.parametrize(
    ("config", "tensor", "note"),
    [
        ({"model_type": "llama", "rope_theta": 1e4}, "x", ROTARY),
        ({"rope_parameters": {"rope_theta": 1e4}}, "x", ROTARY),
        (None, "layers.0.rotary_emb.inv_freq", ROTARY),
        (None, "block.0.relative_attention_bias.weight", "relative position bias"),
        ({"model_type": "bloom"}, "x", "ALiBi"),
        ({"rope_theta": None}, "x", "No position table was recognised"),
    ],
)
def test_models_that_displace_no_token_say_so(
    tmp_path: Path, config: dict[str, Any] | None, tensor: str, note: str
) -> None:
    path = model(tmp_path / "a.safetensors", config, wte__weight=TOKENS, **{tensor: torch.ones(3)})
    tables = read_tables(path)
    assert tables.positions is None
    assert note in tables.notes[0]


def test_a_shift_for_all_tokens_is_noted(tmp_path: Path) -> None:
    path = model(
        tmp_path / "a.safetensors", wte__weight=TOKENS, token_type_embeddings__weight=TOKENS[:2]
    )
    assert any("one shift for all tokens" in note for note in read_tables(path).notes)


def test_patches_stand_for_tokens_in_a_model_of_images(tmp_path: Path) -> None:
    kernel, bias = torch.randn(4, 3, 2, 2, generator=SOURCE), torch.arange(4.0)
    path = model(
        tmp_path / "a.safetensors", pos_embed=POSITIONS[None], cls_token=torch.zeros(1, 1, 4),
        patch_embed__proj__weight=kernel, patch_embed__proj__bias=bias,
    )  # fmt: skip
    tables = read_tables(path)
    lit = torch.eye(12).reshape(12, 3, 2, 2)
    expected = torch.nn.functional.conv2d(lit, kernel, bias)[:, :, 0, 0]
    torch.testing.assert_close(tables.tokens, expected)
    assert tables.labels is not None
    assert tables.labels[:5] == (
        "colour 0, row 0, col 0", "colour 0, row 0, col 1", "colour 0, row 1, col 0",
        "colour 0, row 1, col 1", "colour 1, row 0, col 0",
    )  # fmt: skip
    assert tables.positions is not None
    assert torch.equal(tables.positions, POSITIONS)
    assert "class token" in tables.notes[1]
    assert len(read_tables(path, limit=5).tokens) == 5


ENTRY = {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}


@pytest.mark.parametrize(
    ("header", "data", "message"),
    [
        (b"[1]", b"", "its header is not a JSON object"),
        (b"{nonsense", b"", "its header is not a JSON object"),
        (b'{"a":' * 5000, b"", "its header is not a JSON object"),
        ({}, b"", "holds no tensors"),
        ({"w": ENTRY}, b"x" * 15, "truncated: 'w' ends at byte"),
        ({"w": ENTRY | {"shape": [2, 3]}}, b"x" * 16, "of the tensor 'w' do not agree"),
        ({"w": ENTRY | {"shape": [-2, -2]}}, b"x" * 16, "of the tensor 'w' do not agree"),
        ({"w": ENTRY | {"data_offsets": [16, 0]}}, b"x" * 16, "of the tensor 'w' do not agree"),
        ({"w": ENTRY | {"data_offsets": [0]}}, b"x" * 16, "of the tensor 'w' do not agree"),
        ({"w": {"dtype": "F32"}}, b"", "of the tensor 'w' do not agree"),
        ({"w": 3}, b"", "of the tensor 'w' do not agree"),
        ({"w": ENTRY}, b"x" * 17, "not a safetensors file"),
        ({"w": {"dtype": "X9", "shape": [1], "data_offsets": [0, 4]}}, b"xxxx", "not a safetens"),
    ],
)
def test_damaged_headers(tmp_path: Path, header: Any, data: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read_tables(raw(tmp_path / "a.safetensors", header, data))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"hello world, no tensors", b"12345", b"\xff" * 40])
def test_wrong_magic(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.safetensors").write_bytes(content)
    with pytest.raises(DataError, match=r"not a safetensors file, or a truncated one"):
        read_tables(tmp_path / "a.safetensors")


def sparse(path: Path, start: bytes, size: int) -> Path:
    with path.open("wb") as file:
        file.write(start)
        file.truncate(size)
    return path


def test_a_header_of_ten_gigabytes_is_not_read(tmp_path: Path) -> None:
    size = 10 * 2**30
    path = sparse(tmp_path / "a.safetensors", struct.pack("<Q", size - 8) + b'{"w":', size)
    with pytest.raises(DataError, match=r"its header claims 10,737,418,232 bytes; the limit is"):
        read_tables(path)


def test_ten_gigabytes_cost_nothing_until_they_are_read(tmp_path: Path) -> None:
    num_rows, small = 2 * 2**30 // 4, 5 * 4 * 4  # a table of 8 GiB and the positions behind it
    header = json.dumps({
        "wte.weight": {"dtype": "F32", "shape": [num_rows, 4], "data_offsets": [0, 2**33]},
        "wpe.weight": {"dtype": "F32", "shape": [5, 4], "data_offsets": [2**33, 2**33 + small]},
    }).encode()  # fmt: skip
    start = struct.pack("<Q", len(header)) + header
    path = sparse(tmp_path / "a.safetensors", start, len(start) + 2**33 + small)
    tracemalloc.start()
    before = _resident_bytes()
    tables = read_tables(path, limit=3)
    after, peak = _resident_bytes(), tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert tables.tokens.tolist() == torch.zeros(3, 4).tolist()
    assert tables.positions is not None
    assert tables.positions.shape == (5, 4)
    assert peak < 20 * 2**20
    assert after - before < 200 * 2**20


def _resident_bytes() -> int:
    status = Path("/proc/self/status")
    if not status.exists():
        return 0
    line = next(x for x in status.read_text().splitlines() if x.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


def sharded(folder: Path, places: dict[str, str] | None = None) -> Path:
    save_file({"wte.weight": TOKENS}, folder / "model-1.safetensors")
    save_file({"wpe.weight": POSITIONS}, folder / "model-2.safetensors")
    default = {"wte.weight": "model-1.safetensors", "wpe.weight": "model-2.safetensors"}
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": default if places is None else places}))
    return index


def test_a_model_in_several_files(tmp_path: Path) -> None:
    index = sharded(tmp_path)
    for source in (index, tmp_path, str(tmp_path)):
        tables = read_tables(source)
        assert torch.equal(tables.tokens, TOKENS)
        assert tables.positions is not None
        assert torch.equal(tables.positions, POSITIONS)


@pytest.mark.parametrize(
    ("places", "message"),
    [
        ({}, "has no 'weight_map'"),
        ({"w": "../model-1.safetensors"}, "is not the name of a safetensors file beside it"),
        ({"w": "model-1.bin"}, "is not the name of a safetensors file beside it"),
        ({"w": "model-9.safetensors"}, "missing, although"),
        ({"w": "model-1.safetensors"}, "lists 'w' in model-1.safetensors, which does not hold it"),
    ],
)
def test_damaged_indices(tmp_path: Path, places: dict[str, str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_tables(sharded(tmp_path, places))


def test_folders_without_a_readable_model(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no \.safetensors file and no word vectors"):
        read_tables(tmp_path)
    (tmp_path / "pytorch_model.bin").write_bytes(b"x")
    with pytest.raises(DataError, match=r"only as pytorch_model\.bin: .*save_pretrained"):
        read_tables(tmp_path)
    model(tmp_path / "a.safetensors", wte__weight=TOKENS)
    assert torch.equal(read_tables(tmp_path).tokens, TOKENS)
    model(tmp_path / "b.safetensors", wte__weight=TOKENS)
    with pytest.raises(DataError, match=r"several models: a\.safetensors, b\.safetensors"):
        read_tables(tmp_path)


@pytest.mark.parametrize(("content", "message"), [("{", "not valid JSON"), ("[1]", "a list")])
def test_damaged_configurations(tmp_path: Path, content: str, message: str) -> None:
    model(tmp_path / "a.safetensors", wte__weight=TOKENS)
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(DataError, match=f"config.json: .*{message}"):
        read_tables(tmp_path)


def test_the_header_limit_is_inclusive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = model(tmp_path / "a.safetensors", wte__weight=TOKENS)
    length = int.from_bytes(path.read_bytes()[:8], "little")
    monkeypatch.setattr(safetensors_file, "MAX_HEADER_BYTES", length)
    assert read_tables(path)
    monkeypatch.setattr(safetensors_file, "MAX_HEADER_BYTES", length - 1)
    with pytest.raises(DataError, match="the limit is"):
        read_tables(path)


def test_the_number_of_heads_is_checked(tmp_path: Path) -> None:
    path = model(tmp_path / "a.safetensors", wte__weight=TOKENS)
    with pytest.raises(ConfigError, match="num_heads is at least 1"):
        read_tables(path, num_heads=0)


def model_in(folder: Path) -> Path:
    folder.mkdir(parents=True)
    save_file({"wte.weight": TOKENS}, folder / "model.safetensors")
    return folder


def test_a_model_beneath_the_folder_is_found(tmp_path: Path) -> None:
    model_in(tmp_path / "models--a--b" / "snapshots" / "0f3c")
    (tmp_path / "models--a--b" / "refs").mkdir()
    tables = read_tables(tmp_path / "models--a--b")
    assert torch.equal(tables.tokens, TOKENS)
    assert "The model was found in the folder snapshots/0f3c." in tables.notes
    assert torch.equal(read_tables(tmp_path).tokens, TOKENS)


def test_several_models_beneath_the_folder_are_named(tmp_path: Path) -> None:
    for name in ("b", "a"):
        model_in(tmp_path / name)
    with pytest.raises(DataError, match="holds no model, but 2 folders in it do: a, b; name one"):
        read_tables(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"holds no \.safetensors file and no word vectors"):
        read_tables(tmp_path / "empty")

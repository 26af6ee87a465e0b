"""Valid inputs of every form, made by code: small, so that executions are quick."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import struct
import tarfile
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save

from fuzz.archives import Files, pack
from orthogan.data.formats.packed import write_example as write_packed_example
from orthogan.embeddings.spacy_folder import murmur_hash

SIZE = 16  # px, the smallest image that the networks take
NUM_IMAGES = 16  # the fewest that are a training set
WORDS = ("the", "of", "and", "man", "woman", "caf\u00e9", "\u4f60\u597d", "istanbul")
TEXT = "It was a dark night; the rain fell.\nShe said: don't go!\n" * 12


def pixels(num: int = NUM_IMAGES, *colours: int) -> np.ndarray:
    """Random bytes as images."""
    return np.random.default_rng(num).integers(0, 256, (num, SIZE, SIZE, *colours), np.uint8)


def npy(array: np.ndarray) -> bytes:
    """An array as a file."""
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()


def image_arrays() -> list[bytes]:
    """Images as `.npy`: grey, RGB, channels first, floats, Fortran order."""
    grey = pixels()
    floats = (grey / 255).astype(np.float32)
    arrays = (
        grey,
        pixels(16, 3),
        grey[:, None],
        floats,
        np.asfortranarray(grey),
        grey.astype(">i8"),
    )
    return [npy(array) for array in arrays]


def label_arrays() -> list[bytes]:
    """Labels of the images as `.npy`: numbers, texts, truth values, a column."""
    index = np.arange(NUM_IMAGES) % 3
    return [
        npy(a) for a in (index, index.astype("U2"), index > 1, index[:, None], index.astype("u1"))
    ]


def image_zips() -> list[bytes]:
    """Images as `.npz`, with and without labels."""
    images, labels = npy(pixels()), label_arrays()[0]
    return [
        pack({"images.npy": images, "labels.npy": labels}),
        pack({"x_train.npy": images, "y_train.npy": labels, "x_test.npy": images}, 8),
        pack({"arr_0.npy": images}, 8),
    ]


def idx() -> list[bytes]:
    """Images in IDX form."""
    return [struct.pack(">4B3I", 0, 0, 8, 3, NUM_IMAGES, SIZE, SIZE) + pixels().tobytes()]


def idx_gz() -> list[bytes]:
    """The same, as gzip."""
    return [gzip.compress(content, 1, mtime=0) for content in idx()]


def idx_xz() -> list[bytes]:
    """The same, as xz."""
    return [lzma.compress(content, preset=0) for content in idx()]


def picture(mode: str = "L", kind: str = "PNG", number: int = 0, **options: Any) -> bytes:
    """One picture file."""
    array = np.random.default_rng(number).integers(0, 256, (SIZE, SIZE, 4), np.uint8)
    image = Image.fromarray(array)
    if mode == "I;16":
        image = Image.fromarray(array[..., 0].astype(np.uint16) * 16)
    else:
        image = image.convert(mode)
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def pictures() -> list[bytes]:
    """Pictures of every kind and mode that people have, also those that are not read."""
    modes = ("L", "RGB", "RGBA", "P", "1", "LA", "I;16")
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    second = Image.new("L", (SIZE, SIZE), 200)
    return [
        *(picture(mode) for mode in modes),
        picture("RGB", "JPEG", exif=exif),
        picture("L", "JPEG"),
        picture("P", "GIF"),
        picture("P", "GIF", save_all=True, append_images=[second]),
        picture("RGB", "BMP"),
        picture("1", "BMP"),
        picture("RGB", "WEBP"),
        picture("RGBA", "WEBP", lossless=True),
        picture("RGB", "TIFF"),
        picture("L", "TIFF", compression="tiff_lzw"),
        picture("RGB", "PPM"),
    ]


def tiffs() -> list[bytes]:
    """TIFF pictures of every mode and compression, with tiles and with pages."""
    second = Image.new("L", (SIZE, SIZE), 200)
    return [
        *(picture(mode, "TIFF") for mode in ("1", "L", "P", "RGB", "RGBA", "CMYK", "I;16", "F")),
        *(
            picture("RGB", "TIFF", compression=compression)
            for compression in ("tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits")
        ),
        picture("1", "TIFF", compression="group4"),
        picture("L", "TIFF", save_all=True, append_images=[second]),
        picture("L", "TIFF", compression="tiff_lzw", tiffinfo={278: 4}),
    ]


def csv_tables() -> list[bytes]:
    """Tables of pixels, with labels and without, with names of columns and without."""
    rows = pixels().reshape(NUM_IMAGES, -1)
    lines = [",".join(map(str, row)) for row in rows.tolist()]
    names = ",".join(f"pixel{number}" for number in range(SIZE**2))
    labelled = [f"{number % 3},{line}" for number, line in enumerate(lines)]
    return [
        "\n".join(each).encode()
        for each in (labelled, lines, [f"label,{names}", *labelled], [names, *lines])
    ]


def cifar() -> list[bytes]:
    """Records of CIFAR-10 and CIFAR-100."""
    source = np.random.default_rng(0)
    files = []
    for limits in ((10,), (20, 100)):
        rows = source.integers(0, 256, (NUM_IMAGES, len(limits) + 3072), dtype=np.uint8)
        rows[:, : len(limits)] %= np.array(limits, np.uint8)
        files.append(rows.tobytes())
    return files


def parquet() -> list[bytes]:
    """Pictures in Parquet files, framed and bare, compressed and not."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    content = [picture("L", number=number) for number in range(NUM_IMAGES)]
    labels = [number % 3 for number in range(NUM_IMAGES)]
    framed = pa.table({"image": [{"bytes": each, "path": ""} for each in content], "label": labels})
    files = []
    for table in (framed, pa.table({"img": content})):
        for compression in ("none", "snappy", "zstd"):
            stream = io.BytesIO()
            pq.write_table(table, stream, compression=compression)
            files.append(stream.getvalue())
    return files


def file_folders() -> list[bytes]:
    """Folders of files that are not pictures, and of pictures with a table of their classes."""
    images, labels = idx()[0], struct.pack(">4BI", 0, 0, 8, 1, NUM_IMAGES) + bytes(NUM_IMAGES)
    mnist = {
        f"{part}-{name}-ubyte": content
        for part in ("train", "t10k")
        for name, content in (("images-idx3", images), ("labels-idx1", labels))
    }
    arrays = {"x_train.npy": npy(pixels()), "y_train.npy": label_arrays()[0]}
    names = "\n".join(f"kind {number}" for number in range(10)).encode()
    batches = {"data_batch_1.bin": cifar()[0], "batches.meta.txt": names}
    table = "".join(f"{n}.png,{n % 2}\n" for n in range(32)).encode()
    return [
        pack(mnist),
        pack(arrays | {"x_test.npy": npy(pixels())}),
        pack(batches | {"test_batch.bin": cifar()[0]}),
        pack({"data/train.csv": csv_tables()[2], "data/test.csv": csv_tables()[3]}),
        pack(_tree("") | {"metadata.csv": b"file_name,label\n" + table}),
    ]


def _tree(*folders: str) -> Files:
    return {f"{folders[n % len(folders)]}{n}.png": picture("L", number=n) for n in range(32)}


def picture_trees() -> list[Files]:
    """Folders of pictures: flat, by class, split."""
    return [_tree(""), _tree("a/", "b/"), _tree("train/a/", "train/b/", "test/a/", "test/b/")]


def picture_folders() -> list[bytes]:
    """The same, packed."""
    return [pack(tree) for tree in picture_trees()]


def tars() -> list[bytes]:
    """A tar shard, and a tar of folders of pictures."""
    found = []
    for labelled in (True, False):
        content = io.BytesIO()
        with tarfile.open(fileobj=content, mode="w") as archive:
            for n in range(20):
                parts = {f"{n % 2}/{n}.png": picture("L", number=n)}
                parts |= {f"{n % 2}/{n}.json": b'{"label": "a"}'} if labelled else {}
                for name, part in parts.items():
                    member = tarfile.TarInfo(name)
                    member.size = len(part)
                    archive.addfile(member, io.BytesIO(part))
        found.append(content.getvalue())
    return found


def packed_indexes() -> list[bytes]:
    """The index of the packed set of an example."""
    with tempfile.TemporaryDirectory() as folder:
        write_packed_example(Path(folder, "x.orthogan"))
        return [Path(folder, "x.orthogan", "index.json").read_bytes()]


def picture_zips() -> list[bytes]:
    """Zips of pictures, one with the labels that StyleGAN's tools write."""
    shards = {f"0000{n % 2}/img{n:08d}.png": picture("L", number=n) for n in range(20)}
    labels = [[name, n % 2] for n, name in enumerate(shards)]
    told = shards | {"dataset.json": json.dumps({"labels": labels}).encode()}
    untold = shards | {"dataset.json": b'{"labels": null}'}
    return [*picture_folders(), pack(picture_trees()[1], 8), pack(told), pack(untold)]


def _vectors(width: int = 4) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(len(WORDS), width)).astype("<f4")


def word2vec_binary() -> list[bytes]:
    """Word vectors as word2vec writes them, packed and with line feeds."""
    rows = [(word.encode(), row.tobytes()) for word, row in zip(WORDS, _vectors(), strict=True)]
    head = f"{len(WORDS)} 4\n".encode()
    return [head + b"".join(w + b" " + v + end for w, v in rows) for end in (b"", b"\n")]


def word_lines() -> list[bytes]:
    """Word vectors as lines of text, with and without a header."""
    rows = [
        f"{word} {' '.join(f'{value:.4f}' for value in row)}\n"
        for word, row in zip(WORDS, _vectors(), strict=True)
    ]
    lines = "".join(rows).encode()
    return [lines, f"{len(WORDS)} 4\n".encode() + lines, gzip.compress(lines, 1, mtime=0)]


def vector_array() -> bytes:
    """Word vectors as `.npy`."""
    return npy(_vectors())


def word_lists() -> list[bytes]:
    """The words of the rows, a word a line."""
    return ["\n".join(WORDS).encode(), ("\n".join(WORDS) + "\n").encode("utf-8-sig")]


def table_zips() -> list[bytes]:
    """Tables as `.npz`, with positions and labels."""
    labels = npy(np.array(WORDS))
    held = {"tokens.npy": vector_array(), "positions.npy": npy(np.ones((5, 4), "f4"))}
    return [pack(held | {"labels.npy": labels}), pack({"vectors.npy": vector_array()}, 8)]


def questions() -> list[bytes]:
    """Analogies, and judged pairs with a heading."""
    return [
        b": capital\nthe of and man\n: gram1\nman woman the of\n" * 6,
        b"word1\tword2\tscore\n" + b"man\twoman\t8.3\nthe\tof\t1.5\n" * 6,
    ]


def _bert() -> bytes:
    width = 8
    tensors = {
        "embeddings.word_embeddings.weight": torch.randn(len(WORDS), width),
        "embeddings.position_embeddings.weight": torch.randn(6, width),
    }
    for part in ("query", "key", "value"):
        name = f"encoder.layer.0.attention.self.{part}"
        tensors |= {f"{name}.weight": torch.randn(width, width), f"{name}.bias": torch.zeros(width)}
    return save(tensors, {"format": "pt"})


def _gpt() -> bytes:
    tensors = {
        "wte.weight": torch.randn(len(WORDS), 8, dtype=torch.float16),
        "wpe.weight": torch.randn(6, 8, dtype=torch.bfloat16),
        "h.0.attn.c_attn.weight": torch.randn(8, 24),
        "h.0.attn.c_attn.bias": torch.zeros(24),
    }
    return save(tensors)


@cache
def safetensors_files() -> list[bytes]:
    """The tensors of two tiny models."""
    torch.manual_seed(0)
    return [_bert(), _gpt()]


def model_folders() -> list[bytes]:
    """Folders as the Hugging Face libraries write them, one in two files with an index."""
    config = {
        "model_type": "bert", "hidden_size": 8, "num_attention_heads": 2, "num_hidden_layers": 1,
        "vocab_size": len(WORDS), "max_position_embeddings": 6, "pad_token_id": 0,
    }  # fmt: skip
    gpt = {"model_type": "gpt2", "n_embd": 8, "n_head": 2, "n_layer": 1, "vocab_size": len(WORDS)}
    vocabulary = {word: row for row, word in enumerate(WORDS)}
    tokenizer = {
        "model": {"type": "WordPiece", "vocab": vocabulary},
        "added_tokens": [{"id": 0, "content": "[PAD]", "special": True}],
    }
    unigram = {"model": {"type": "Unigram", "vocab": [[word, -1.5] for word in WORDS]}}
    first, second = safetensors_files()
    index = {"metadata": {"total_size": 1}, "weight_map": {
        "wte.weight": "model-00001.safetensors", "wpe.weight": "model-00001.safetensors",
    }}  # fmt: skip
    return [
        _folder({"config.json": config, "tokenizer.json": tokenizer}, {"model.safetensors": first}),
        _folder({"config.json": gpt, "vocab.json": vocabulary}, {"model.safetensors": second}),
        _folder(
            {"config.json": gpt, "tokenizer.json": unigram, "model.safetensors.index.json": index},
            {"model-00001.safetensors": second},
        ),
    ]


def _folder(trees: dict[str, Any], files: Files) -> bytes:
    return pack({name: json.dumps(tree).encode() for name, tree in trees.items()} | files)


def spacy_folders() -> list[bytes]:
    """A spaCy pipeline with vectors."""
    pairs = b"".join(
        b"\xcf" + murmur_hash(word).to_bytes(8, "big") + bytes((row,))
        for row, word in enumerate(WORDS)
    )
    files = {
        "vocab/vectors": vector_array(),
        "vocab/key2row": bytes((0x80 + len(WORDS),)) + pairs,
        "vocab/strings.json": json.dumps(WORDS).encode(),
        "vocab/vectors.cfg": b'{"mode": "default"}',
    }
    return [pack(files)]


def text_files() -> list[bytes]:
    """Texts in UTF-8, one with a byte-order mark, one in other scripts."""
    other = "\u0928\u092e\u0938\u094d\u0924\u0947 \u05e9\u05dc\u05d5\u05dd cafe\u0301 \U0001f600\n"
    return [TEXT.encode(), TEXT.encode("utf-8-sig"), (other * 40).encode()]


def text_folders() -> list[bytes]:
    """Folders of texts."""
    one, two, three = text_files()
    return [pack({"a.txt": one, "b.TXT": two, "sub/c.txt": three, "notes.md": b"# no"})]


def vocabularies() -> list[bytes]:
    """Vocabularies as `vocabulary.json` holds them."""
    kinds = {"words": ["<unk>", "a", "b"], "characters": ["<unk>", "a", "\n"],
             "bytes": [chr(n) for n in range(256)]}  # fmt: skip
    return [json.dumps({"tokeniser": k, "entries": e}).encode() for k, e in kinds.items()]


def metrics_lines() -> list[bytes]:
    """Lines as a run writes them."""
    lines = [
        {"images_seen": 64 * n, "elapsed_s": 1.5 * n, "event": event, "fd": 3.0 / (n + 1)}
        for n in range(6)
        for event in ("step", "score")
    ]
    lines += [{"images_seen": 64, "attempt": 1, "event": "escape", "elapsed_s": 9.0}]
    return ["".join(json.dumps(line) + "\n" for line in lines).encode()]

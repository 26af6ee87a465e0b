"""Inputs of several files: zip archives as they are read, and folders, carried in a zip."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random

from fuzz.bytewise import damaged
from fuzz.registry import Form
from fuzz.structured import (
    json_form,
    json_lines_form,
    npy_form,
    picture_form,
    plain,
    safetensors_form,
    text_form,
)

Files = dict[str, bytes]
Seal = Callable[[Files], None]

DATE = (1980, 1, 1, 0, 0, 0)
STRANGE_NAMES = (
    *(
        "",
        "/",
        "../out.png",
        "/abs.png",
        "C:\\a.png",
        "a\\b.png",
        ".hidden.png",
        "__MACOSX/._a.png",
    ),
    *(
        "train/x.png",
        "test/x.png",
        "a/" * 60 + "b.png",
        "x" * 300 + ".png",
        "\x1b[31m.png",
        "a\nb.png",
    ),
    *("\u202egnp.exe.png", "e\u0301/1.png", ".png", "png", "a.png/", "dataset.json", "images.npy"),
    *("labels.npy", "x_test.npy", "y.npy", "data.pkl", "COM1.png", " ", "a//b.png", "./a.png"),
)
FORMS: dict[str, Form] = {
    ".json": json_form,
    ".jsonl": json_lines_form,
    ".npy": npy_form,
    ".safetensors": safetensors_form,
    ".png": picture_form,
    ".txt": text_form,
    ".csv": text_form,
    ".cfg": json_form,
    ".yaml": text_form,
}
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)


def pack(files: Mapping[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    """A zip archive of these files."""
    return pack_members(list(files.items()), method)


def pack_members(members: list[tuple[str, bytes]], method: int = zipfile.ZIP_STORED) -> bytes:
    """A zip archive of these members; names may repeat."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members:
            archive.NameToInfo.pop(name, None)  # else it warns of names that repeat
            entry = zipfile.ZipInfo(name, DATE)
            entry.compress_type = method
            archive.writestr(entry, content)
    return stream.getvalue()


def unpack(data: bytes) -> Files:
    """The files in a zip archive; none if it is damaged."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError, EOFError):
        return {}


def lay_out(data: bytes, folder: Path) -> None:
    """Writes the files of a packed folder below `folder`; impossible names are left out."""
    root = folder.resolve()
    for name, content in unpack(data).items():
        if "\0" in name or not (root / name).resolve().is_relative_to(root):
            continue
        try:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        except (OSError, UnicodeEncodeError):  # too long, a folder of that name
            continue


def form_of(name: str) -> Form:
    """How a file of this name is damaged."""
    path = Path(name)
    return FORMS.get(path.suffix, npy_form if path.name == "vectors" else plain)


def folder_form(*damage: str, seal: Seal | None = None) -> Form:
    """A folder one of whose files is damaged, missing, renamed or swapped.

    Args:
        damage: Files that are damaged; all if none is named.
        seal: Makes checksums fit again; nearly always called.
    """

    def form(rng: Random, data: bytes, other: bytes) -> bytes:
        files = unpack(data)
        for _ in range(1 + int(rng.expovariate(2))):
            names = [name for name in files if not damage or name in damage]
            if not names:
                break
            name = rng.choice(names)
            action = rng.randrange(30)
            if action == 0:
                del files[name]
            elif action == 1 and not damage:
                files[rng.choice(STRANGE_NAMES)] = files.pop(name)
            elif action == 2 and not damage:
                files[name] = files[rng.choice(list(files))]
            elif action < 5:
                files[name] = damaged(rng, files[name], b"")
            else:
                files[name] = form_of(name)(rng, files[name], b"")
        if seal is not None and rng.random() < 0.9:
            seal(files)
        return pack(files)

    return form


def zip_form(rng: Random, data: bytes, other: bytes) -> bytes:
    """An archive with members damaged inside, renamed, repeated, or compressed in another way."""
    members = list(unpack(data).items())
    if not members:
        return damaged(rng, data, other)
    for _ in range(1 + int(rng.expovariate(1.5))):
        at = rng.randrange(len(members))
        name, content = members[at]
        action = rng.randrange(12)
        if action == 0:
            members[at] = (rng.choice(STRANGE_NAMES), content)
        elif action == 1:
            members.append(members[at])
        elif action == 2 and len(members) > 1:
            del members[at]
        elif action == 3:
            members[at] = (rng.choice(members)[0], content)
        else:
            members[at] = (name, form_of(name)(rng, content, b""))
    packed = pack_members(members, rng.choice((0, 0, *METHODS)))
    # Damage to what is already packed: directories, local headers, compressed bytes.
    return damaged(rng, packed, other) if rng.random() < 0.3 else packed

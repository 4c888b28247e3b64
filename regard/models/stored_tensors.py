"""The tensors in a folder's files, from their headers only."""

import re
import warnings
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch

from regard._io.files import read_file, read_json
from regard._io.safetensors import read_header
from regard._io.unwrapping import without_wrappers
from regard._printable import shortened, shown
from regard.models.weights import read_head

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
PICKLES = ("pytorch_model.bin", "pytorch_model.bin.index.json")
SAFETENSORS = ".safetensors"
SHARD = re.compile(r"model-\d{5}-of-\d{5}\.safetensors")
MOST_SHARDS = 1000
ADAPTER = "adapter_config.json"
OTHER_WEIGHTS = (SAFETENSORS, *".bin .pt .pth .ckpt .h5 .msgpack .onnx .gguf .ot".split())
"""Suffixes of files that hold weights."""


@dataclass(frozen=True)
class Stored:
    """The location of a tensor: its file and its name there, with its shape and dtype."""

    path: Path
    name: str
    dtype: torch.dtype
    shape: list[int]


def stored_tensors(folder: Path) -> dict[str, Stored]:
    """Every tensor in a folder's files, from their headers only.

    A wrapped network (`torch.compile`, `DataParallel`) puts `_orig_mod.` or `module.` into all
    names, which is taken out with a warning.

    Raises `FileNotFoundError` when there is no file, `ValueError` for a damaged one, for a name
    that occurs in two files, for an index that names anything but files next to it, and for a
    folder of pickles.
    """
    mapped = None
    if (folder / WEIGHTS).exists():  # An index beside it is of weights that were there before.
        paths = [folder / WEIGHTS]
    elif (folder / INDEX).exists():
        mapped = indexed_files(folder, INDEX)
        paths = [folder / file for file in sorted(set(mapped.values()))]
    elif pickle := next((name for name in PICKLES if (folder / name).exists()), None):
        raise ValueError(
            f"{folder} holds {pickle}, a pickle, which is not opened here; make safetensors of it "
            f"with: regard convert {folder} OUT"
        )
    else:
        raise FileNotFoundError(f"there is no {WEIGHTS} in {folder}{instead(folder)}")
    found: dict[str, Stored] = {}
    for path in paths:
        try:
            head, total = read_head(path)
            rows = read_header(head[8:], total - len(head))
        except ValueError as error:
            raise ValueError(f"{path} is damaged or no safetensors file: {error}") from None
        for name, dtype, shape in rows:
            if name in found:
                both = f"{found[name].path.name} and {path.name}"
                raise ValueError(f"{folder}: {shown(name)} stands in both {both}")
            found[name] = Stored(path, name, dtype, shape)
    if mapped is not None:
        wrong = [n for n, file in mapped.items() if n not in found or found[n].path.name != file]
        wrong += [name for name in found if name not in mapped]
        if wrong:
            listed = ", ".join(shortened(name) for name in wrong[:5])
            raise ValueError(
                f"{folder / INDEX} and the files do not agree on where {len(wrong)} tensors are: "
                f"{listed}"
            )
    bare = without_wrappers(found)
    if bare:
        name = next(name for name in bare if name != bare[name])
        warnings.warn(
            f"{folder}: {shortened(name)} is read as {shortened(bare[name])}, and all others "
            "likewise without what a wrapped network puts into names",
            stacklevel=3,
        )
    return {bare.get(name, name): each for name, each in found.items()}


def instead(folder: Path) -> str:
    """What a folder holds in the place of weights that are read, and what to do with it.

    Nothing for a folder without any weights.
    """
    if (folder / ADAPTER).exists():
        return (
            f"; its {ADAPTER} is that of an adapter, which needs the network it was trained on: "
            "merge both (merge_and_unload of peft) and save that"
        )
    found = sorted(each.name for each in islice(folder.iterdir(), MOST_SHARDS)
                   if each.suffix in OTHER_WEIGHTS)  # fmt: skip
    if not found:
        return ""
    named = ", ".join(shortened(name) for name in found[:5])
    if len(found) == 1 and found[0].endswith(SAFETENSORS):
        return f"; if {named} is its weights, rename it"
    return f"; it holds {named}, of which the network has to be saved as {WEIGHTS}"


def indexed_files(folder: Path, index: str, ending: str = SAFETENSORS) -> dict[str, str]:
    """The file of each tensor according to an index, with this suffix and next to the index.

    Raises `FileNotFoundError` for missing files, and `ValueError` for an index that is damaged or
    names anything else.
    """
    path, known = folder / index, re.compile(rf"[A-Za-z0-9._-]+{re.escape(ending)}")
    what = "file" if ending == SAFETENSORS else f"{ending} file"
    content = read_file(path)
    try:
        entries = read_json(content)
        mapped = entries.get("weight_map") if isinstance(entries, dict) else None
        if not isinstance(mapped, dict) or not mapped:
            raise ValueError("it has no weight_map")
        files = sorted({str(file) for file in mapped.values()})
        if len(files) > MOST_SHARDS:
            raise ValueError(f"it names {len(files):,} files, more than {MOST_SHARDS:,}")
        for file in files:
            if not known.fullmatch(file):
                raise ValueError(f"it names {shown(file)}, which is no {what} beside it")
            if leads_elsewhere(folder, folder / file):
                raise ValueError(f"it names {shown(file)}, a link that leads elsewhere")
        missing = [file for file in files if not (folder / file).exists()]
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error}") from None
    if missing:
        listed = ", ".join(missing[:5])
        raise FileNotFoundError(
            f"{folder} lacks {len(missing)} of {len(files)} files that {index} names: {listed}"
        )
    return {name: str(file) for name, file in mapped.items()}


def remove_shards(folder: Path) -> None:
    """Remove shards and their index, which are of other weights than a whole file beside them."""
    (folder / INDEX).unlink(missing_ok=True)
    for path in folder.glob(f"model-*{SAFETENSORS}"):
        if SHARD.fullmatch(path.name):
            path.unlink(missing_ok=True)


def leads_elsewhere(folder: Path, place: Path) -> bool:
    """Whether an entry of a folder is a link out of it.

    The Hub's own cache links files to a store two folders up; these links are followed.
    """
    inside = place.resolve().parent == folder.resolve()
    return place.exists() and not inside and not _in_hub_cache(folder, place)


def _in_hub_cache(folder: Path, place: Path) -> bool:
    """Whether a link leads to the store of the Hub's cache that the folder itself is in."""
    snapshots = folder.resolve().parent
    return snapshots.name == "snapshots" and place.resolve().parent == snapshots.parent / "blobs"

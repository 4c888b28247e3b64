"""Old folders of Hugging Face, whose tensors are pickles, and GGUF files, as folders of today.

    config.json, pytorch_model.bin (or shards with an index)
        ── torch.load(weights_only=True), and nothing else ──>  config.json, model.safetensors
    model.gguf ── weights of few bits made float32 ──>  config.json, model.safetensors, tokenizer

A pickle is a program. PyTorch's `weights_only` reader does not run it and builds only tensors; what
it refuses is refused here, without a fallback. This is the only module that opens a pickle.
"""

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from regard._io.files import read_file, write_whole, written_whole
from regard._io.leftovers import temporary_name
from regard._io.unwrapping import tables_in, without_wrappers
from regard._nearest import nearest
from regard._printable import shortened, shown
from regard.data.encoding.published_tokens import TOKEN_FILES
from regard.models import model_class
from regard.models.family import Family
from regard.models.gguf import is_gguf, load_gguf, load_tokenizer
from regard.models.published import (
    CONFIG,
    FAMILIES,
    family_named,
    load_published,
    read_entries,
    rules_of,
    save_published,
)
from regard.models.stored_tensors import (
    INDEX,
    PICKLES,
    WEIGHTS,
    indexed_files,
    leads_elsewhere,
    stored_tensors,
)
from regard.models.timm_folder import is_timm

COPIED = (*TOKEN_FILES, "generation_config.json", "preprocessor_config.json", "chat_template.jinja")
"""Files that are copied unchanged."""
MOST_COPIED = 256 * 2**20
MOST_AGAIN = 4
"""How much larger than the pickles the tensors may be: shared ones are written separately."""


@dataclass(frozen=True)
class Converted:
    """The result of a conversion.

    Args:
        folder: the new folder.
        network: its network, by this library's name.
        tensors: their number.
        guessed: what was inferred from tensor names because the old configuration lacked it.
        copied: files that were copied.
    """

    folder: Path
    network: str
    tensors: int
    guessed: dict[str, str]
    copied: list[str]


def convert(source: str | Path, target: str | Path, family: str | None = None) -> Converted:
    """Convert a folder of pickles to safetensors, and load it once to verify it.

    Of a GGUF file the weights become float32 and its tokens `tokenizer.json`.

    Args:
        source: a folder with `config.json` and `pytorch_model.bin`, or shards with their index; or
            a GGUF file.
        target: the new folder, which must not be there yet.
        family: what the network is, where the old configuration does not say it (`bert`); if None,
            the names of the tensors tell.

    Raises `FileNotFoundError` when a file is missing, `ValueError` for what is no pickle of tensors
    alone, for a family that is not known, for a target that is there already, and for tensors that
    are not those of the configuration; for a GGUF file, what `load_gguf` raises.
    """
    source, target = Path(source), Path(target)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ValueError(f"{target} is there already; name a new folder")
    if is_gguf(source):
        return _convert_gguf(source, target, family)
    entries = read_entries(source)
    if not isinstance(entries, dict):
        raise ValueError(f"{source / CONFIG}: it is not a configuration, but {shown(entries)}")
    pickles = _pickles(source)
    with _new_folder(target) as temporary:
        names = _write_tensors(pickles, temporary)
        guessed = {} if is_timm(entries) else _unsaid(entries, names, family, source / CONFIG)
        # Last of all, so that there is no folder that looks whole and is not.
        said = {**entries, **guessed}
        if "architecture" in said:
            said["architectures"] = [said.pop("architecture")]
        write_whole(temporary / CONFIG, (json.dumps(said, indent=2) + "\n").encode())
        try:
            network = load_published(temporary).config.tag
        except ValueError as error:
            raise ValueError(str(error).replace(str(temporary), str(source))) from None
        copied = _copy_others(source, temporary)
    return Converted(target, network, len(names), guessed, copied)


def _convert_gguf(source: Path, target: Path, family: str | None) -> Converted:
    if family not in (None, "llama"):
        raise ValueError(f"{source} is read as llama alone, not as {shown(family)}; leave it out")
    model, tokenizer = load_gguf(source), load_tokenizer(source)
    with _new_folder(target) as temporary:
        tokenizer.save(temporary / COPIED[0])
        save_published(model, temporary)
        names = stored_tensors(temporary)
    return Converted(target, model.config.tag, len(names), {}, [])


@contextmanager
def _new_folder(target: Path) -> Iterator[Path]:
    """A folder that becomes `target` at the end; where something is raised, nothing is left."""
    target.absolute().parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(temporary_name(target.name))
    temporary.mkdir()
    try:
        yield temporary
        os.replace(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _pickles(folder: Path) -> list[Path]:
    """The files that hold the tensors, in order."""
    one, index = (folder / name for name in PICKLES)
    if index.exists():
        files = sorted(set(indexed_files(folder, index.name, ".bin").values()))
        return [_beside(folder, file) for file in files]
    if one.exists():
        return [_beside(folder, one.name)]
    if (folder / WEIGHTS).exists() or (folder / INDEX).exists():
        raise ValueError(f"{folder} has safetensors already; regard.load reads it as it is")
    raise FileNotFoundError(f"there is no {one.name} in {folder}")


def _beside(folder: Path, name: str) -> Path:
    """A file of a folder; raises `ValueError` for a link that leads out of it."""
    path = folder / name
    if leads_elsewhere(folder, path):
        raise ValueError(f"{path} is a link that leads elsewhere")
    if not path.is_file():
        raise ValueError(f"{path} is no file")
    return path


def _write_tensors(pickles: list[Path], folder: Path) -> list[str]:
    """Write a file of safetensors for each pickle, and an index for several; returns all names."""
    mapped: dict[str, str] = {}
    for number, path in enumerate(pickles, 1):
        whole = len(pickles) == 1
        file = WEIGHTS if whole else f"model-{number:05}-of-{len(pickles):05}.safetensors"
        tensors = read_pickle(path)
        if again := tensors.keys() & mapped.keys():
            raise ValueError(f"{path}: {shown(min(again))} stands in another file, too")
        with written_whole(folder / file) as unfinished:
            save_file(dict(_apart(tensors)), unfinished, metadata={"format": "pt"})
        mapped |= dict.fromkeys(tensors, file)
    if len(pickles) > 1:
        write_whole(folder / INDEX, (json.dumps({"weight_map": mapped}, indent=2) + "\n").encode())
    return list(mapped)


def read_pickle(path: Path) -> dict[str, Tensor]:
    """The tensors in a pickle that holds only names and tensors, or one table of them in another.

    What a wrapped network puts into all names (`module.`, `_orig_mod.`) is taken out.

    Raises `ValueError` for anything else in it, none of which has been executed.
    """
    size = path.stat().st_size
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # A hostile file may end its reader in any way.
        reason = _reason(error)
        raise ValueError(
            f"{path} is not a pickle of tensors alone, and nothing else is opened: {reason}"
        ) from None
    tables = tables_in(found)
    if len(tables) > 1 and () not in tables:
        named = ", ".join(shown("/".join(keys)) for keys in list(tables)[:5])
        raise ValueError(f"{path} holds {len(tables)} sets of tensors: {named}; save one alone")
    if () not in tables:
        found = next(iter(tables.values()), found)
    if not isinstance(found, dict) or not found:
        raise ValueError(f"{path} holds {type(found).__name__}, not names and their tensors")
    for name, tensor in found.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor):
            raise ValueError(
                f"{path}: {shown(name)} is {type(tensor).__name__}; names and tensors are read, "
                "no others"
            )
        if tensor.layout != torch.strided or tensor.is_quantized or tensor.is_meta:
            raise ValueError(f"{path}: {shown(name)} is sparse, quantized or without numbers")
    total = sum(tensor.numel() * tensor.element_size() for tensor in found.values())
    # A tensor may say that it repeats a few numbers without end.
    if total > MOST_AGAIN * size:
        raise ValueError(
            f"{path} has {size:,} bytes, but its tensors would have {total:,}; it is damaged"
        )
    tensors: dict[str, Tensor] = dict(found)
    bare = without_wrappers(tensors)
    return {bare.get(name, name): tensor for name, tensor in tensors.items()}


def _reason(error: Exception) -> str:
    """What PyTorch says of a pickle, without its advice to open it in spite of that."""
    unsafe = re.search(r"GLOBAL ([\w.]+)", str(error))
    if unsafe:
        return f"it asks for {shown(unsafe[1])}"
    kept = re.sub(r"\s+", " ", str(error)) or type(error).__name__
    return shortened(kept)


def _apart(tensors: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """Each tensor in memory of its own, as the new format wants it."""
    for name, tensor in tensors.items():
        yield name, tensor.detach().clone(memory_format=torch.contiguous_format)


def _unsaid(
    entries: Mapping[str, Any], names: list[str], family: str | None, path: Path
) -> dict[str, str]:
    """What the configuration lacks, by what was asked for and by the names of the tensors."""
    said = entries.get("model_type")
    if said is not None and family is not None and said != family:
        raise ValueError(f"{path} says that its model_type is {shown(said)}, not {shown(family)}")
    if said is None and family is not None and family not in FAMILIES:
        raise ValueError(f"there is no family {shown(family)}: {nearest(family, FAMILIES)}")
    known = said or family
    candidates = [known] if known else list(FAMILIES)
    try:
        fits = {each: _architecture(family_named(each), entries, names) for each in candidates}
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    found = {each: fit for each, fit in fits.items() if fit is not None}
    if known is None and not found:
        raise ValueError(
            f"{path} has no model_type, and the tensors are not those of a family that is known; "
            f"say which it is: --family {'|'.join(FAMILIES)}"
        )
    most = max((count for _, count in found.values()), default=0)
    best = [each for each, (_, count) in found.items() if count == most]
    if known is None and len(best) > 1:
        raise ValueError(
            f"{path} has no model_type, and the tensors may be those of {' or '.join(best)}; say "
            "which it is with --family"
        )
    guessed = {} if said else {"model_type": known or best[0]}
    if not entries.get("architectures") and found:
        guessed["architecture"] = found[(known or best[0])][0]
    return guessed


def _architecture(
    family: Family, entries: Mapping[str, Any], names: list[str]
) -> tuple[str, int] | None:
    """The network of a family that has most of these tensors and none besides, and how many."""
    best: tuple[str, int] | None = None
    for theirs, ours in family.networks.items():
        try:
            config = model_class(ours).config_type.from_entries(family.entries(entries, theirs))
        except (ValueError, TypeError):
            continue  # The reason is told when the network is loaded.
        rules, today = rules_of(family, config, names)
        wanted = {name for rule in rules for name in rule.theirs}
        if wanted <= today.keys() and (best is None or len(wanted) > best[1]):
            best = theirs, len(wanted)
    return best


def _copy_others(source: Path, target: Path) -> list[str]:
    """Take the files of the tokenizer along; returns their names."""
    found = [name for name in COPIED if (source / name).exists()]
    for name in found:
        write_whole(target / name, read_file(_beside(source, name), MOST_COPIED))
    return found

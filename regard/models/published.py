"""Networks in the Hugging Face format: a folder with `config.json` and `model.safetensors`.

    config.json ── words ──> our configuration ──> a network on `meta`, whose names and shapes say
    what the files must hold ── rules ──> headers compared ──> tensors read, joined, put in place

No tensor is read before all names, shapes and dtypes of all files have been checked, and nothing is
ever executed: pickles are not opened (see `regard convert`).
"""

import json
import warnings
from collections.abc import Collection, Iterable, Mapping
from contextlib import ExitStack
from functools import reduce
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor, nn

from regard._io.files import read_file, read_json, write_whole
from regard._nearest import nearest
from regard._printable import shortened, shown
from regard.errors import CheckpointMismatch
from regard.models import model_class
from regard.models.attention import Attends
from regard.models.config_words import TOKEN_WORDS, numbered
from regard.models.family import Family
from regard.models.stored_tensors import WEIGHTS, Stored, stored_tensors
from regard.models.tensor_rules import Rule
from regard.models.timm_folder import MODEL_TYPE as TIMM
from regard.models.timm_folder import in_their_words, is_timm
from regard.models.weights import Undrawn, at_most, shared_names

FAMILIES = {
    "bert": "regard.models.bert.convert:FAMILY",
    "albert": "regard.models.albert.convert:FAMILY",
    "vit": "regard.models.vit.convert:FAMILY",
    "resnet": "regard.models.resnet.convert:FAMILY",
    TIMM: "regard.models.resnet.timm:FAMILY",
    "gpt2": "regard.models.gpt.convert:GPT2",
    "openai-gpt": "regard.models.gpt.convert:GPT1",
    "xlnet": "regard.models.xlnet.convert:FAMILY",
    "llama": "regard.models.llama.convert:FAMILY",
    "t5": "regard.models.t5.convert:FAMILY",
}
"""`model_type` in a Hugging Face folder → the family."""

KIN = {
    name: family
    for family, names in {
        "bert": "roberta distilbert electra deberta camembert mpnet modernbert",
        "gpt2": "gpt_neo gptj gpt_neox opt bloom",
        "llama": "mistral qwen gemma phi olmo smollm",
        "t5": "mt5 bart pegasus",
        "vit": "deit beit dinov swin",
    }.items()
    for name in names.split()
}
"""Families that are not known, and the one that is most like each."""

READ = (torch.float32, torch.bfloat16, torch.float16, torch.float64)
"""The dtypes that weights are read in."""
CONFIG, GENERATION = "config.json", "generation_config.json"
THEIR_WORDS = ("architectures", "transformers_version", "hidden_size", "n_embd", "d_model")
"""At least one is in every Hugging Face `config.json`, even in old ones without model_type."""


def family_named(model_type: Any) -> Family:
    """The family; raises `ValueError` with the nearest names for an unknown one."""
    if model_type is None:
        known = ", ".join(name for name in FAMILIES if name != TIMM)
        raise ValueError(f"it does not say its model_type; add the one of {known} that it is")
    if not isinstance(model_type, str) or model_type not in FAMILIES:
        hint = nearest(str(model_type), FAMILIES, KIN)
        raise ValueError(f"its model_type is {shown(model_type)}, which is not known; {hint}")
    module, _, name = FAMILIES[model_type].partition(":")
    found: Family = getattr(import_module(module), name)
    return found


def family_of(config: Any) -> Family | None:
    """The family of a network with this configuration, if it is a published one."""
    for model_type in FAMILIES:
        found = family_named(model_type)
        if found.fits(config):
            return found
    return None


def is_published(entries: Any) -> bool:
    """Whether a `config.json` is Hugging Face's: ours states its format, theirs does not."""
    if is_timm(entries):
        return True
    if not isinstance(entries, dict) or "format" in entries:
        return False
    said = entries.get("model_type")
    known = isinstance(said, str) and said in FAMILIES
    return known or any(key in entries for key in THEIR_WORDS)


def in_full(entries: Any) -> Any:
    """What a `config.json` says, with the model_type that old files leave to the architecture."""
    entries = in_their_words(entries)
    if not isinstance(entries, dict) or entries.get("model_type") is not None:
        return entries
    said = entries.get("architectures")
    first = said[0] if isinstance(said, list) and said and isinstance(said[0], str) else None
    told = (name for name in FAMILIES if first in family_named(name).networks)
    return {**entries, "model_type": next(told, None)}


def read_entries(folder: Path) -> Any:
    """The contents of `config.json`; raises `ValueError` with its path when it is damaged."""
    path = folder / CONFIG
    try:
        content = read_file(path)
    except FileNotFoundError:
        raise FileNotFoundError(f"there is no {CONFIG} in {folder}") from None
    try:
        return read_json(content)
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error}") from None


def configuration(
    folder: Path,
    network: str | None = None,
    names: Collection[str] = (),
    trunk: bool = False,
    **changes: Any,
) -> Any:
    """Our configuration of a folder's network, or of another `network` with the same body.

    `names` are those of the folder's tensors, which may reveal what `config.json` does not state.
    With `trunk`, a network whose head is not known is its body alone.

    Raises `ValueError` with the file for an unknown family or option.
    """
    path = folder / CONFIG
    entries, written = read_entries(folder), _said_of_writing(folder)
    try:
        if not isinstance(entries, dict):
            raise ValueError(f"it is not a configuration, but {shown(entries)}")
        entries = {**in_full(entries), **written}
        family = family_named(entries.get("model_type"))
        trunk = trunk and foreign_head(family, entries) is not None
        architecture = next(iter(family.networks)) if trunk else _architecture(family, entries)
        if network is not None and family.networks[architecture] != network:
            architecture = _named(family, network)
        tag = family.networks[architecture]
        if unknown := family.unknown(entries, tag):
            listed = ", ".join(shortened(name) for name in unknown[:5])
            warnings.warn(f"{path} says {listed}, which is not read", stacklevel=2)
        kind = model_class(tag).config_type
        told = family.told(entries, names) | family.lacking(tag, names)
        if "classes" in changes:
            # Names are those of the labels in the folder.
            changes = {"labels": (), **changes}
        return kind.from_entries(family.entries(entries, architecture) | told | changes)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: {error}") from None


def _said_of_writing(folder: Path) -> dict[str, Any]:
    """The tokens that `generation_config.json` says, which count before those of `config.json`."""
    path = folder / GENERATION
    try:
        said = read_json(read_file(path)) if path.exists() else {}
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error}") from None
    if not isinstance(said, dict):
        raise ValueError(f"{path} is no table, but {shown(said)}")
    return {word: said[word] for word in TOKEN_WORDS if said.get(word) is not None}


def _architecture(family: Family, entries: Mapping[str, Any]) -> str:
    """What a folder's network is called there; the body alone where nothing is said."""
    said = entries.get("architectures")
    if not said:
        return next(iter(family.networks))
    if not isinstance(said, list) or not isinstance(said[0], str):
        raise ValueError(f"its architectures are {shown(said)}, which are no names")
    if said[0] not in family.networks:
        raise ValueError(
            f"its architecture {shown(said[0])} is not known; {nearest(said[0], family.networks)} "
            "(regard train --from begins with its body alone)"
        )
    return said[0]


def foreign_head(family: Family, entries: Any) -> str | None:
    """The architecture that a folder states, if it is none of the family's that are known."""
    said = entries.get("architectures")
    first = said[0] if isinstance(said, list) and said else None
    return first if isinstance(first, str) and first not in family.networks else None


def _named(family: Family, network: str) -> str:
    """The architecture of a network of this name."""
    for theirs, ours in family.networks.items():
        if ours == network and theirs not in family.implied:
            return theirs
    known = sorted(set(family.networks.values()))
    raise ValueError(
        f"there is no {shown(network)} of {family.model_type}: {nearest(network, known)}"
    )


def load_published(
    folder: Path, attend: Attends = None, network: str | None = None, **changes: Any
) -> Any:
    """Load the network of a Hugging Face folder, in eval mode, in the dtype of its files.

    If they have several, it is the one that holds them all (`torch.promote_types`).

    Args:
        attend: replaces the published attention parts.
        network: one of ours to load the body into, such as `bert_classifier`; weights of its head
            that the files lack keep their random initialization.
        changes: options of ours to set, such as `classes`.

    Raises `FileNotFoundError` when a file is missing, `ValueError` when one is damaged, foreign or
    not safetensors, and `CheckpointMismatch` with every mismatch when the tensors do not match the
    configuration. No tensor has been read then.
    """
    stored = weights_in(folder)
    config = configuration(folder, network, stored, network is not None, **changes)
    model, state = _on_meta(folder, config, attend, len(stored))
    tensors, fresh, _ = _held(folder, config, state, stored, network is not None)
    tensors |= {name: _drawn(state[name], config.init_std) for name in fresh}
    again = shared_names(model)
    model.load_state_dict(tensors, strict=False, assign=True)
    for name, first in again.items():
        owner, _, leaf = name.rpartition(".")
        setattr(model.get_submodule(owner), leaf, model.get_parameter(first))
    left = [name for name in state if name not in again and name not in tensors]
    assert not left, f"the rules of {config.tag} leave out {', '.join(left)}"
    return model.eval()


def weights_in(folder: Path) -> dict[str, Stored]:
    """Every tensor in a folder's files; raises `ValueError` for quantized ones, with their way."""
    stored, entries = stored_tensors(folder), read_entries(folder)
    said = entries.get("quantization_config") if isinstance(entries, dict) else None
    if not said:
        return stored
    spare = (*family_named(in_full(entries).get("model_type")).dropped, "\0")
    whole = [n for n, at in stored.items() if at.dtype not in READ and not n.endswith(spare)]
    if whole:
        method = said.get("quant_method") if isinstance(said, dict) else None
        how = f"by {shown(method)} " if method else ""
        raise ValueError(
            f"{folder} has weights that are quantized {how}({shown(whole[0])} is "
            f"{stored[whole[0]].dtype}), and plain ones are read; save them so, with "
            "model.dequantize() and save_pretrained of transformers"
        )
    return stored


def published_tensors(folder: Path, network: str) -> tuple[dict[str, Tensor], list[str]]:
    """The tensors of one of our networks in a folder's files, by our names, and what is left out.

    Missing weights of its head are not there. What is left out are names in the files, of weights
    that this network has no place for. Raises as `load_published`.
    """
    stored = weights_in(folder)
    config = configuration(folder, network, stored, True)
    _, state = _on_meta(folder, config, None, len(stored))
    tensors, _, left = _held(folder, config, state, stored, True)
    return tensors, left


def labels_of(folder: Path) -> tuple[str, ...]:
    """The label names of a folder's network; none if it has no labels.

    Unnamed ones are `LABEL_0`, `LABEL_1` and so on.
    """
    config = configuration(folder, trunk=True)
    return getattr(config, "labels", ()) or numbered(getattr(config, "classes", 0))


def _on_meta(
    folder: Path, config: Any, attend: Attends, tensors: int
) -> tuple[Any, dict[str, Tensor]]:
    """A folder's network, and its tensors that have no numbers yet.

    What was given with a part of the user's own has numbers already.
    """
    kind = model_class(config.tag)
    try:
        with torch.device("meta"), Undrawn(), at_most(4 * tensors + 100):
            model = kind(config) if attend is None else kind(config, attend=attend)
    except (ValueError, TypeError, RuntimeError, ArithmeticError, MemoryError) as error:
        raise ValueError(f"{folder / CONFIG}: {error}") from None
    named = dict(model.named_parameters()) | dict(model.named_buffers())
    return model, {name: tensor for name, tensor in named.items() if tensor.is_meta}


def _held(
    folder: Path,
    config: Any,
    state: Mapping[str, Tensor],
    stored: Mapping[str, Stored],
    without_head: bool,
) -> tuple[dict[str, Tensor], list[str], list[str]]:
    """The tensors in a folder's files, the names of the head's that they lack, and what is left."""
    entries = in_full(read_entries(folder))
    family = family_named(entries.get("model_type"))
    foreign = foreign_head(family, entries) if without_head else None
    there = stored if foreign is None else trunk_of(family, config, stored)
    rules, names = rules_of(family, config, there)
    copies = _copies(family, rules, names, config)
    fresh = _fresh(family, rules, names) if without_head else []
    wanted = {rule: _their_shapes(rule, state[rule.ours]) for rule in rules if rule not in fresh}
    again = [names[copy] for copy in copies]
    names = {name: at for name, at in names.items() if name not in copies}
    _require_fit(folder, family, config.tag, wanted, names, there)
    _require_copies(folder, copies, there)
    spare = [name for name in names if name.endswith((*family.dropped, "\0"))]
    used = {name for each in wanted.values() for name in each}.union(spare)
    known = {there[names[name]].name for name in used} | {there[at].name for at in again}
    left = [name for name, at in stored.items() if at.name not in known]
    return _read(wanted, names, there), [rule.ours for rule in fresh], left


def trunk_of(family: Family, config: Any, stored: Mapping[str, Stored]) -> dict[str, Stored]:
    """The tensors of the body in a network whose head is not known, under the family's prefix.

    The body is found by its first tensor, under whatever name; beside a body without a name stands
    the head, whose names do not begin as any of the body's does.
    """
    bare = [
        name.removeprefix(family.prefix)
        for rule in family.rules(config, family.prefix)
        for name in rule.theirs
        if name.startswith(family.prefix)
    ]
    first = bare[0]
    places = {
        name.removesuffix(first) for name in stored if name == first or name.endswith(f".{first}")
    }
    if len(places) != 1:
        return dict(stored)
    (place,) = places
    tops = {name.partition(".")[0] for name in bare}
    return {
        family.prefix + name.removeprefix(place): at
        for name, at in stored.items()
        if (name.startswith(place) if place else name.partition(".")[0] in tops)
    }


def rules_of(
    family: Family, config: Any, stored: Iterable[str]
) -> tuple[list[Rule], dict[str, str]]:
    """The rules of this network, and their names in the files.

    A body is stored with or without its prefix, whatever its architecture says, and old files have
    old suffixes.
    """
    today = {}
    for name in stored:
        for old, new in family.renamed.items():
            if name.endswith(old):
                today[name.removesuffix(old) + new] = name
                break
        else:
            today[name] = name
    prefixes = (family.prefix, *family.prefixes.values())
    used = (each for each in prefixes if any(name.startswith(each) for name in today))
    rules = family.rules(config, next(used, ""))
    for copy, name in _twice(family, rules).items():
        # Of tensors that are one, files may have kept any.
        if copy in today and name not in today:
            today[name] = today.pop(copy)
    return rules, today


def _twice(family: Family, rules: list[Rule]) -> dict[str, str]:
    """Names under which files may have a tensor once more → the one that these rules read."""
    wanted = {name for rule in rules for name in rule.theirs}
    found = {}
    for copy, original in family.copies.items():
        read = [name for name in wanted if name == original or name.endswith(f".{original}")]
        if copy not in wanted and read:
            found[copy] = min(read, key=len)
    return found


def _copies(
    family: Family, rules: list[Rule], names: Mapping[str, str], config: Any
) -> dict[str, str]:
    """Names of tensors that the files have twice → the ones that are read.

    An output layer is a copy of the embedding only in a network that has it, tied.
    """
    apart = (*family.heads, *family.aside.get(config.tag, ()), "\0")
    tied = getattr(config, "tied", False)
    return {
        copy: name
        for copy, name in _twice(family, rules).items()
        if copy in names and name in names and (tied or not copy.startswith(apart))
    }


def _require_copies(folder: Path, copies: Mapping[str, str], stored: Mapping[str, Stored]) -> None:
    """Raise `ValueError` unless what the files have twice is the same."""
    for copy, name in copies.items():
        pair = []
        for each in (copy, name):
            with safe_open(stored[each].path, "pt") as file:
                pair.append(file.get_tensor(stored[each].name))
        if not torch.equal(*pair):
            raise ValueError(
                f"{folder}: {copy} is not the {name} that {folder / CONFIG} says it is; only one "
                "of them would be read (where both are meant, let it say "
                '"tie_word_embeddings": false)'
            )


def _their_shapes(rule: Rule, ours: Tensor) -> dict[str, list[int]]:
    """What the files must hold for a tensor of ours, which is on `meta`."""
    parts = rule.edit.split(ours)
    return {name: list(part.shape) for name, part in zip(rule.theirs, parts, strict=True)}


def _fresh(family: Family, rules: list[Rule], names: Mapping[str, str]) -> list[Rule]:
    """What stands upon the body, and is not in the files."""
    return [
        rule
        for rule in rules
        if all(name.startswith(family.heads) for name in rule.theirs)
        and any(name not in names for name in rule.theirs)
    ]


def _require_fit(
    folder: Path,
    family: Family,
    tag: str,
    wanted: Mapping[Rule, Mapping[str, list[int]]],
    names: Mapping[str, str],
    stored: Mapping[str, Stored],
) -> None:
    """Raise `CheckpointMismatch` with all that is missing, unexpected or of another shape."""
    shapes = {name: shape for each in wanted.values() for name, shape in each.items()}
    known = (*family.heads, *family.aside.get(tag, ()), "\0")
    unexpected = [
        name
        for name in names.keys() - shapes.keys()
        if not name.startswith(known) and not name.endswith((*family.dropped, "\0"))
    ]
    wrong = {
        name: (stored[names[name]].shape, shape)
        for name, shape in shapes.items()
        if name in names and stored[names[name]].shape != shape
    }
    missing = shapes.keys() - names.keys()
    if missing or unexpected or wrong:
        raise CheckpointMismatch(missing, unexpected, wrong, where=str(folder))
    others = [name for name in shapes if stored[names[name]].dtype not in READ]
    if others:
        first, more = others[0], len(others) - 1
        at = stored[names[first]]
        raise ValueError(
            f"{at.path}: {shown(first)} is {at.dtype}{f', and {more:,} more' if more else ''}; "
            "only floating-point weights are read, of 16 bits at least"
        )


def _read(
    wanted: Mapping[Rule, Mapping[str, list[int]]],
    names: Mapping[str, str],
    stored: Mapping[str, Stored],
) -> dict[str, Tensor]:
    """Our tensors, each in memory of its own: the files may change afterwards."""
    stored_as = {stored[names[name]].dtype for each in wanted.values() for name in each}
    widest = reduce(torch.promote_types, stored_as)
    with ExitStack() as opened:
        paths = {stored[names[name]].path for each in wanted.values() for name in each}
        files = {path: opened.enter_context(safe_open(path, "pt")) for path in paths}
        return {
            rule.ours: rule.edit.join(
                [
                    files[at.path].get_tensor(at.name).to(widest)
                    for at in (stored[names[name]] for name in rule.theirs)
                ]
            ).clone(memory_format=torch.contiguous_format)
            for rule in wanted
        }


def _drawn(like: Tensor, std: float) -> Tensor:
    """The first numbers of a head: matrices from N(0, std²), biases zero."""
    found = torch.zeros(like.shape, dtype=like.dtype)
    return found.normal_(std=std) if found.ndim > 1 else found


def says_all(model: Any) -> bool:
    """Whether the Hugging Face format can express a network's configuration."""
    family = family_of(model.config)
    return family is not None and not family.unsaid(model.config)


def save_published(model: nn.Module, folder: Path) -> None:
    """Write a network in the Hugging Face format, which `transformers` reads.

    Raises `ValueError` for a network whose parts or options that format cannot express.
    """
    config: Any = model.config
    family = family_of(config)
    if family is None:
        raise ValueError(f"{config.tag} is no published network")
    if unsaid := family.unsaid(config):
        raise ValueError(f"Hugging Face has no word for {', '.join(unsaid)} of {config.tag}")
    entries = family.their_entries(config)
    again, state = shared_names(model), model.state_dict()
    tensors, rules = {}, family.rules(config, family.prefix_of(config.tag))
    for rule in rules:
        parts = rule.edit.split(state[rule.ours])
        for name, part in zip(rule.theirs, parts, strict=True):
            tensors[name] = part.clone(memory_format=torch.contiguous_format)
    covered = {rule.ours for rule in rules} | again.keys()
    if left := state.keys() - covered:
        raise ValueError(f"Hugging Face has no word for the weights {', '.join(sorted(left))}")
    text = json.dumps({**entries, "dtype": _dtype(state)}, indent=2) + "\n"
    write_whole(folder / WEIGHTS, save(tensors, metadata={"format": "pt"}))
    write_whole(folder / CONFIG, text.encode())
    if "eos_token_id" in entries:
        tokens = {word: entries[word] for word in TOKEN_WORDS if word in entries}
        write_whole(folder / GENERATION, (json.dumps(tokens, indent=2) + "\n").encode())


def _dtype(state: Mapping[str, Tensor]) -> str:
    """What most of a network's numbers are, as Hugging Face calls it."""
    return str(next(iter(state.values())).dtype).removeprefix("torch.")

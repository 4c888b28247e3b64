"""A new run that starts from the weights of another: what is kept, and what is new.

The network and its tokens are those of the other run. Named entries that its sizes count (labels,
items, words of stories) are those of the new data, and each name that both share keeps its weights,
whatever its index in either.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from regard._io.hub import local
from regard._io.manifest import NAME as MANIFEST
from regard.config import Config
from regard.data.encoding.tokenizer import Tokenizer
from regard.errors import UsageError
from regard.models import MODELS
from regard.models.gguf import is_gguf
from regard.models.published import CONFIG, is_published, read_entries, weights_in
from regard.models.weights import shared_names
from regard.run.fine_tuning import Published
from regard.run.given_tokens import WithTokens
from regard.run.loading import load_predictor, read_model
from regard.run.older import upgraded_sections
from regard.run.settings import Settings, Table, flat, read_toml, settings_of
from regard.tasks.picture_coder import PictureCoder
from regard.tasks.task import Task

SETTINGS = "config.toml"
LEARNED = ("tokens", "joint", "sentences", "languages")
"""Settings of tasks that define the tokenization, on which the weights depend."""
COUNTED = {"classes": "classes", "vocab": "words", "items": "items", "values": "values"}
"""Sizes that are numbers of things with names → what these are called."""
MOST_NAMED = 6
"""How many tensors a message lists if some are not taken over."""


@dataclass(frozen=True, eq=False)
class Origin:
    """What a run starts from.

    Args:
        path: as it was given.
        folder: of the network.
        predictor: the network, and the coder that it was trained with.
    """

    path: str
    folder: Path
    predictor: Any

    @property
    def task_name(self) -> str:
        """What it was trained for."""
        return str(self.predictor.task)

    @property
    def model_name(self) -> str:
        """The network."""
        return str(self.predictor.model.config.tag)

    @cached_property
    def digest(self) -> str:
        """Digest of the network with everything that belongs to it."""
        return sha256((self.folder / MANIFEST).read_bytes()).hexdigest()

    @cached_property
    def sections(self) -> dict[str, dict[str, Any]]:
        """The settings that it was trained with, as far as known; the network's always are."""
        known: dict[str, dict[str, Any]] = {}
        for folder in (self.folder, self.folder.parent):
            if not known and (folder / SETTINGS).is_file():
                known = upgraded_sections(read_toml(folder / SETTINGS))
        config = self.predictor.model.config
        sizes = config.to_entries()
        model = {name: value for name, value in sizes.items() if name not in config.from_data}
        coder = self.predictor.coder.entries()
        learned = {name: value for name, value in coder.items() if name in LEARNED}
        return {
            "data": dict(known.get("data", {})),
            "task": {**learned, **known.get("task", {}), "name": self.task_name},
            "model": {**model, "name": self.model_name},
        }

    def require_same(self, entries: Table) -> None:
        """Raise `UsageError` for a setting that the network or its tokens do not have."""
        own = {k: v for k, v in self.sections["task"].items() if k in LEARNED}
        task = {**entries["task"], **own}
        kept = {**entries, "task": task, "model": self.sections["model"]}
        was, now = (flat(settings_of(each).entries()) for each in (kept, entries))
        for key in dict.fromkeys([*was, *now]):
            # What is left out while training has no weights.
            if was.get(key) != now.get(key) and not key.endswith("dropout"):
                raise UsageError(
                    f"the network in {self.path} has {key} {was.get(key)!r}, and "
                    f"{now.get(key)!r} is asked for: leave it out, or begin without --from"
                )

    def coder(self, kind: type[Task], corpus: Any, settings: Any) -> Any:
        """The coder of another corpus, with the tokens or color statistics of this one."""
        own = self.predictor.coder
        found = kind.learn(corpus, WithTokens(settings, tokenizers_of(own)))
        return replace(found, colors=own.colors) if isinstance(own, PictureCoder) else found

    def held(self, model: Any) -> tuple[dict[str, Tensor], list[str]]:
        """Its weights, by their names in the new network, which are the same: none is left out."""
        return dict(self.predictor.model.state_dict()), []

    @property
    def names(self) -> dict[str, tuple[str, ...]]:
        """The names of the entries that its sizes count."""
        return names_of(self.predictor.coder)


def origin_of(path: str) -> Origin | Published:
    """A run or model folder to start from; raises `UsageError` if it is neither.

    A Hugging Face folder is one, too, and `hf:owner/name`.
    """
    try:
        given = local(path)
        if is_gguf(given):
            raise ValueError(f"make a folder of it, regard convert {path} DIR, and take that")
        if (given / CONFIG).is_file() and is_published(read_entries(given)):
            weights_in(given)
            published = Published(path, given)
            published.require_tokens()
            return published
        folder, predictor = read_model(given, lambda each: (each, load_predictor(each)))
    except (ValueError, OSError) as error:
        raise UsageError(f"{path} is nothing to begin with: {error}") from None
    config = getattr(predictor.model, "config", None)
    if not isinstance(config, Config) or config.tag not in MODELS:
        raise UsageError(f"{path} holds a network of your own; read its weights yourself")
    return Origin(path, folder, predictor)


def tokenizers_of(coder: Any) -> list[Tokenizer]:
    """The tokenizers of a coder, each once."""
    held = (getattr(coder, name, None) for name in ("tokenizer", "source", "target"))
    found = {id(each): each for each in held if isinstance(each, Tokenizer)}
    return list(found.values())


def begin_with(origin: Origin | Published, task: Task, settings: Settings) -> list[str]:
    """Load the weights into a task's network; returns what to report about it."""
    new, was = task.model, origin.names
    old, left = origin.held(new)
    own = {k: v for k, v in new.state_dict().items() if v.is_floating_point()}
    now, counting = names_of(task.coder), _counting(settings, task.coder)
    again = shared_names(new)
    taken: dict[str, Tensor] = {}
    partly: list[str] = []
    missing: list[str] = []
    for name, tensor in own.items():
        if name in again:
            continue
        counted = {
            dim: (was[s], now[s], s) for dim, s in counting.get(name, {}).items() if s in was
        }
        taken[name] = tensor.detach().clone()
        note = _take(taken[name], old.get(name), counted)
        if note is not None:
            (partly if note.startswith("for ") else missing).append(f"{name} ({note})")
    # What has two names is one tensor, whatever a folder calls it.
    taken |= {name: taken[first] for name, first in again.items() if first in taken}
    new.load_state_dict({**new.state_dict(), **taken})
    count = len(own.keys() - again.keys())
    whole = count - len(partly) - len(missing)
    said = [f"Begun with {origin.path}: {whole} of {count} tensors are taken over"]
    said += [f"in part {_listed(partly)}"] if partly else []
    said += [f"new are {_listed(missing)}"] if missing else []
    said += [f"left out are {_listed(left)}"] if left else []
    sentences = ["; ".join(said) + "."]
    unknown, tokens = _unknown_share(task)
    if unknown:
        sentences.append(
            f"{unknown:,} of {tokens:,} tokens of the training texts are unknown to it."
        )
    return sentences


def _counting(settings: Settings, coder: Any) -> dict[str, dict[int, str]]:
    """Which dimension of which tensor grows with which size, found by building larger networks."""
    # As many labels as are named could not be one more.
    names, sizes = names_of(coder), {**coder.sizes, "labels": ()}

    def shapes(more: Mapping[str, Any]) -> dict[str, torch.Size]:
        with torch.device("meta"):
            return {k: v.shape for k, v in settings.network(more).state_dict().items()}

    usual, found = shapes(sizes), dict[str, dict[int, str]]()
    for size, counted in names.items():
        alike = [each for each in names if names[each] == counted]
        larger = shapes({**sizes, **{each: sizes[each] + 1 for each in alike}})
        for name, shape in usual.items():
            for dim, (small, large) in enumerate(zip(shape, larger[name], strict=True)):
                if small == len(counted) and large == small + 1:
                    found.setdefault(name, {}).setdefault(dim, size)
    return found


def names_of(coder: Any) -> dict[str, tuple[str, ...]]:
    """The names of the entries that a coder's sizes count, by size."""
    words = getattr(getattr(coder, "vocabulary", None), "tokens", ())
    catalogue = getattr(coder, "catalogue", None)
    held = {
        "classes": getattr(coder, "labels", words),
        "vocab": words,
        "items": getattr(catalogue, "items", ()),
        "values": getattr(catalogue, "values", ()),
    }
    sizes = coder.sizes
    return {k: tuple(v) for k, v in held.items() if v and sizes.get(k) == len(v)}


Counted = tuple[Sequence[str], Sequence[str], str]
"""The names that a dimension of a tensor counts there and here, and the size that says how many."""


def _take(new: Tensor, old: Tensor | None, counted: Mapping[int, Counted]) -> str | None:
    """Write what an old tensor has into a new one; returns what it lacks, None where it has all."""
    if old is None:
        return "not there"
    shared: dict[int, tuple[Tensor, Tensor]] = {}
    notes = []
    for dim, (there, here, size) in counted.items():
        numbers = {name: number for number, name in enumerate(there)}
        known = [number for number, name in enumerate(here) if name in numbers]
        of = torch.tensor([numbers[here[number]] for number in known], dtype=torch.long)
        shared[dim] = torch.tensor(known, dtype=torch.long), of
        if not known:
            return f"{len(there):,} {COUNTED[size]} there, {len(here):,} here"
        if len(known) < len(here):
            notes.append(f"{len(known):,} of {len(here):,} {COUNTED[size]}")
    others = [dim for dim in range(new.dim()) if dim not in shared]
    if old.dim() != new.dim() or any(old.shape[dim] != new.shape[dim] for dim in others):
        return f"{_shape(old)} there, {_shape(new)} here"
    _copy(new, old, shared)
    return f"for {', '.join(notes)}" if notes else None


def _copy(new: Tensor, old: Tensor, shared: Mapping[int, tuple[Tensor, Tensor]]) -> None:
    """Copy the entries that two tensors share, by their numbers in these dimensions."""
    if not shared:
        new.copy_(old)
        return
    (dim, (to, of)), *more = shared.items()
    some = new.index_select(dim, to)
    _copy(some, old.index_select(dim, of), dict(more))
    new.index_copy_(dim, to, some)


def _unknown_share(task: Task) -> tuple[int, int]:
    """How many tokens of the training texts are unknown, and how many there are."""
    some = getattr(task.data, "examples", {}).get("train")
    tokenizers = tokenizers_of(task.coder)
    columns = [column.values for column in getattr(some, "columns", ())] if tokenizers else []
    readers = [*tokenizers, *tokenizers[-1:] * len(columns)]
    pairs = list(zip(columns, readers, strict=False))
    unknown = sum(
        int((values == reader.specials.unknown).sum())
        for values, reader in pairs
        if reader.specials.unknown is not None
    )
    return unknown, sum(len(values) for values, _ in pairs)


def _shape(tensor: Tensor) -> str:
    return "×".join(map(str, tensor.shape)) or "1"


def _listed(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join([*names[:MOST_NAMED], *([f"{more} more"] if more > 0 else [])])

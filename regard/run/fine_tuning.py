"""Beginning with a published network: what it can learn, and the settings that it learns well with.

The folder is one of Hugging Face's. Its body becomes that of a network for the task, its tokens
are read as it was trained to read them, and what stands upon the body starts new.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

from torch import Tensor

from regard._io.files import read_file
from regard.data.encoding.published_tokens import LINES, OPTIONS, WHOLE, read_tokenizer
from regard.data.encoding.tokenizer import Tokenizer
from regard.errors import UsageError
from regard.models.published import (
    CONFIG,
    configuration,
    family_of,
    labels_of,
    published_tensors,
)
from regard.run.given_tokens import WithTokens
from regard.run.settings import Table, defaults, flat, settings_of
from regard.tasks import task_class
from regard.tasks.task import Task

HEADS = {
    "classify": "classifier",
    "multilabel": "classifier",
    "regress": "classifier",
    "match": "classifier",
    "similarity": "classifier",
    "tag": "tagger",
    "extract": "spans",
    "masked_lm": "masked_lm",
}
"""Task → the end of the name of the network that learns it."""

TRAIN = {
    "epochs": 3.0,
    "least_steps": 100,
    "learning_rate": 5e-5,
    "warmup": 0.1,
    "weight_decay": 0.01,
    "beta2": 0.999,
}
"""As BERT was fine-tuned: three passes at a small learning rate that rises first."""

TASK_SETTINGS: dict[str, dict[str, Any]] = {
    "classify": {"batch_tokens": 1024},
    "multilabel": {"batch_tokens": 1024},
    "regress": {"batch_tokens": 1024},
    "match": {"batch_tokens": 2048, "longest": 128},
    "similarity": {"batch_tokens": 2048, "longest": 128},
    "tag": {"batch_tokens": 1024},
    "extract": {"batch_tokens": 4096, "longest": 384, "longest_answer": 30},
    "masked_lm": {},
}
"""Task → its settings: about 32 short texts to an update, and texts as long as is usual."""


@dataclass(frozen=True, eq=False)
class Published:
    """A Hugging Face folder that a run begins with.

    Args:
        path: as it was given.
        folder: where it is.
    """

    path: str
    folder: Path

    @cached_property
    def sections(self) -> dict[str, dict[str, Any]]:
        """The settings that it was trained with, of which nothing is known."""
        return {"data": {}, "task": {}, "model": {}}

    @cached_property
    def digest(self) -> str:
        """Of what texts are read with: its tokens and sizes."""
        names = (name for name in (CONFIG, WHOLE, LINES, OPTIONS) if (self.folder / name).exists())
        return sha256(b"".join(read_file(self.folder / name) for name in names)).hexdigest()

    @cached_property
    def config(self) -> Any:
        """Of the network in the folder."""
        return configuration(self.folder)

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """The folder's."""
        return read_tokenizer(self.folder)

    def require_tokens(self) -> None:
        """Raise `ValueError` or `FileNotFoundError` unless the folder has its network's tokens."""
        if len(self.tokenizer) != self.config.vocab:
            raise ValueError(
                f"it has {len(self.tokenizer):,} tokens, and an embedding of "
                f"{self.config.vocab:,}; the tokenizer is another network's"
            )

    @property
    def positions(self) -> int | None:
        """The longest sequence that it has positions for; None where that does not matter."""
        has = "max_length" in type(self.config).from_data
        return self.config.max_length if has else None

    def base(self, task: str, model: str | None, recipe: Table) -> dict[str, dict[str, Any]]:
        """The settings that fine-tuning begins from.

        Args:
            task: what is to be learned.
            model: the network that was asked for, if one was.
            recipe: that was asked for, whose data is learned from where none is given.

        Raises `UsageError` for a task that no network of the family learns, and for another one.
        """
        network = self.network(task)
        for named in (model, recipe.get("model", {}).get("name")):
            if named not in (None, network):
                raise UsageError(
                    f"the network in {self.path} becomes {network} for {task}, not {named}; leave "
                    "one of them out"
                )
        config = configuration(self.folder, network)
        sizes = {k: v for k, v in config.to_entries().items() if k not in config.from_data}
        return {
            "data": dict(recipe.get("data", {})),
            "task": {"name": task, "tokens": {"kind": "given"}, **self._task_settings(task)},
            "model": {**sizes, "name": network},
            "train": dict(TRAIN),
        }

    def network(self, task: str) -> str:
        """The network that learns a task upon this body."""
        family = family_of(self.config)
        assert family is not None, "what was read from such a folder has a family"
        known = list(family.networks.values())
        able = {
            each: f"{known[0]}_{head}"
            for each, head in HEADS.items()
            if f"{known[0]}_{head}" in known
        }
        if task not in able:
            raise UsageError(
                f"the network in {self.path} is a {family.model_type}, which learns "
                f"{', '.join(able) or 'nothing'} and not {task}; say which with task=..."
            )
        return able[task]

    def _task_settings(self, task: str) -> dict[str, Any]:
        """Those of the task, of texts no longer than the positions reach."""
        found = dict(TASK_SETTINGS[task])
        name = next((n for n in ("longest", "block") if n in _fields(task)), None)
        if name is not None and self.positions is not None:
            usual = found.get(name, defaults(task_class(task).settings_type)[name])
            found[name] = min(usual, task_class(task).longest_within(self.positions))
        return found

    def require_same(self, entries: Table) -> None:
        """Raise `UsageError` for a setting that the network or its tokens do not have.

        The parts of its attention may be others: what they have to learn starts new.
        """
        if entries["task"].get("tokens") != {"kind": "given"}:
            raise UsageError(f"the network in {self.path} has tokens of its own; leave tokens out")
        own = self.base(entries["task"]["name"], None, {})
        kept = {**entries, "model": own["model"]}
        was, now = (flat(settings_of(each).entries()) for each in (kept, entries))
        for key in dict.fromkeys([*was, *now]):
            free = key.endswith("dropout") or key.startswith("model.attention.")
            if was.get(key) != now.get(key) and not free:
                raise UsageError(
                    f"the network in {self.path} has {key} {was.get(key)!r}, and "
                    f"{now.get(key)!r} is asked for: leave it out, or begin without --from"
                )

    def coder(self, kind: type[Task], corpus: Any, settings: Any) -> Any:
        """The coder of a corpus, with the tokens of the folder.

        Raises `ValueError` for texts that are longer than the positions reach.
        """
        coder = kind.learn(corpus, WithTokens(settings, [self.tokenizer]))
        name = "longest" if "longest" in _fields(kind.name) else "block"
        if self.positions is not None and coder.reach > self.positions:
            raise ValueError(
                f"up to {coder.reach:,} tokens would be read at once, and the network in "
                f"{self.path} has positions for {self.positions:,}; give a smaller {name}, "
                f"{kind.longest_within(self.positions)} at most"
            )
        return replace(coder, positions=self.positions)

    def held(self, model: Any) -> dict[str, Tensor]:
        """Its weights, by their names in a network for a task."""
        return published_tensors(self.folder, model.config.tag)

    @cached_property
    def names(self) -> dict[str, tuple[str, ...]]:
        """The names of what its sizes count."""
        labels = labels_of(self.folder)
        return {"classes": labels} if labels else {}


def _fields(task: str) -> dict[str, Any]:
    return defaults(task_class(task).settings_type)

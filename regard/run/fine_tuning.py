"""Starting from a published network: what it can be fine-tuned for, and with which settings.

The folder is a Hugging Face one. Its body becomes that of a network for the task, with its own
tokenizer, and the head on top of the body is newly initialized.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

from torch import Tensor

from regard._io.files import read_file
from regard.data.encoding.published_tokens import TOKEN_FILES, read_tokenizer, require_rows
from regard.data.encoding.tokenizer import MOST_BYTES, Tokenizer
from regard.data.schema import ColumnKind
from regard.errors import UsageError
from regard.models.family import Family
from regard.models.published import (
    CONFIG,
    GENERATION,
    configuration,
    family_of,
    labels_of,
    published_tensors,
)
from regard.models.stored_tensors import stored_tensors
from regard.run.given_tokens import WithTokens
from regard.run.settings import Table, defaults, flat, settings_of
from regard.tasks import task_class
from regard.tasks.colors import PREPROCESSOR, published_colors, published_sizes
from regard.tasks.task import Task

NETWORKS = {
    "classify": ("{}_classifier",),
    "image_classify": ("{}_classifier", "resnet"),
    "multilabel": ("{}_classifier",),
    "regress": ("{}_classifier",),
    "match": ("{}_classifier",),
    "similarity": ("{}_classifier",),
    "tag": ("{}_tagger",),
    "extract": ("{}_spans",),
    "masked_lm": ("{}_masked_lm",),
    "language_model": ("gpt_lm", "llama_lm"),
    "text_to_text": ("t5",),
    "permutation_lm": ("xlnet_lm",),
    "span_corruption": ("t5",),
}
"""Task → the networks that learn it; `{}` is the family's name of its body."""

TRAIN = {
    "epochs": 3.0,
    "least_steps": 100,
    "learning_rate": 5e-5,
    "warmup": 0.1,
    "weight_decay": 0.01,
    "beta2": 0.999,
}
"""As BERT was fine-tuned: three epochs at a small learning rate with warm-up."""

BY_NAME = ("permutation_lm", "span_corruption")
"""Tasks that are learned only where they are asked for: with them pre-training goes on."""

FASTER = {"t5": {"learning_rate": 3e-4}}
"""Network → its own settings: T5's weights are larger, and its steps have to be, too."""

TASK_SETTINGS: dict[str, dict[str, Any]] = {
    "classify": {"batch_tokens": 1024},
    "image_classify": {"batch_size": 32, "augment": {"kind": "crop_flip"}},
    "multilabel": {"batch_tokens": 1024},
    "regress": {"batch_tokens": 1024},
    "match": {"batch_tokens": 2048, "longest": 128},
    "similarity": {"batch_tokens": 2048, "longest": 128},
    "tag": {"batch_tokens": 1024},
    "extract": {"batch_tokens": 4096, "longest": 384, "longest_answer": 30},
    "masked_lm": {},
    "language_model": {"block": 256, "batch_size": 8},
    "text_to_text": {"batch_tokens": 2048},
    "permutation_lm": {"block": 256, "batch_size": 8},
    "span_corruption": {},
}
"""Task → its settings: about 32 short texts per update, and the usual maximum lengths."""

LENGTHS = ("longest", "block", "length")
"""What the settings of a task call the tokens that are read at once, one of these."""

SAID = ("prefix",)
"""Settings that define a task: those of a recipe apply here, too."""


@dataclass(frozen=True, eq=False)
class Published:
    """A Hugging Face folder that a run starts from.

    Args:
        path: as it was given.
        folder: where it is.
    """

    path: str
    folder: Path

    @cached_property
    def sections(self) -> dict[str, dict[str, Any]]:
        """The settings that it was trained with: unknown."""
        return {"data": {}, "task": {}, "model": {}}

    @cached_property
    def digest(self) -> str:
        """Digest of what encoding depends on: its tokens and sizes."""
        files = (CONFIG, GENERATION, *TOKEN_FILES, PREPROCESSOR)
        paths = (self.folder / name for name in files if (self.folder / name).exists())
        return sha256(b"".join(read_file(path, MOST_BYTES) for path in paths)).hexdigest()

    @cached_property
    def config(self) -> Any:
        """The configuration of the network in the folder."""
        return self._configuration()

    def _configuration(self, network: str | None = None) -> Any:
        return configuration(self.folder, network, stored_tensors(self.folder), trunk=True)

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """The folder's tokenizer."""
        return read_tokenizer(self.folder)

    def require_tokens(self) -> None:
        """Raise `ValueError` or `FileNotFoundError` unless the folder has its network's tokens.

        An embedding may have more rows than there are tokens: many are padded to a round number.
        Networks for images have no tokens.
        """
        if not self.reads_pictures:
            require_rows(self.tokenizer, self.config.vocab, "it")

    @property
    def only_task(self) -> str | None:
        """What the network learns where nothing else is asked for, if that is one task."""
        able = [task for task in self.able if task not in BY_NAME]
        return able[0] if len(able) == 1 else None

    @property
    def positions(self) -> int | None:
        """The longest sequence that it has positions for; None if unlimited."""
        has = "max_length" in type(self.config).from_data
        return self.config.max_length if has else None

    @property
    def reads_pictures(self) -> bool:
        """Whether it reads images rather than text."""
        return "channels" in type(self.config).from_data

    def base(self, task: str, model: str | None, recipe: Table) -> dict[str, dict[str, Any]]:
        """The settings that fine-tuning starts from.

        Args:
            task: the task to learn.
            model: the requested network, if any.
            recipe: the requested recipe, whose data is used if none is given.

        Raises `UsageError` for a task that no network of the family learns, or another network.
        """
        network = self.network(task)
        for named in (model, recipe.get("model", {}).get("name")):
            if named not in (None, network):
                raise UsageError(
                    f"the network in {self.path} becomes {network} for {task}, not {named}; leave "
                    "one of them out"
                )
        config = self._configuration(network)
        sizes = {k: v for k, v in config.to_entries().items() if k not in config.from_data}
        said = {k: v for k, v in recipe.get("task", {}).items() if k in SAID}
        return {
            "data": dict(recipe.get("data", {})),
            "task": {"name": task, **self._task_settings(task), **said},
            "model": {**sizes, "name": network},
            "train": {**TRAIN, **FASTER.get(network, {})},
        }

    def network(self, task: str) -> str:
        """The network that learns a task on top of this body."""
        if task not in self.able:
            raise UsageError(
                f"the network in {self.path} is a {self._family.model_type}, which learns "
                f"{', '.join(self.able) or 'nothing'} and not {task}; say which with task=..."
            )
        return self.able[task]

    @cached_property
    def able(self) -> dict[str, str]:
        """What can be learned on top of this body, and by which network."""
        known = list(self._family.networks.values())
        named = {
            task: [name.format(known[0]) for name in names]
            for task, names in NETWORKS.items()
            if _reads_pictures(task) == self.reads_pictures
        }
        return {task: name for task, names in named.items() for name in names if name in known}

    @property
    def _family(self) -> Family:
        family = family_of(self.config)
        assert family is not None, "what was read from such a folder has a family"
        return family

    def _task_settings(self, task: str) -> dict[str, Any]:
        """Those of the task, of texts no longer than the positions reach.

        Raises `UsageError` for pictures that are not square.
        """
        found = dict(TASK_SETTINGS[task])
        if self.reads_pictures:
            try:
                size, short_side = published_sizes(self.folder, self.config)
            except ValueError as error:
                raise UsageError(str(error)) from None
            return {"size": size, "short_side": short_side if short_side > size else 0, **found}
        found["tokens"] = {"kind": "given"}
        name = next((n for n in LENGTHS if n in _fields(task)), None)
        if name is not None and self.positions is not None:
            usual = found.get(name, defaults(task_class(task).settings_type)[name])
            found[name] = min(usual, task_class(task).longest_within(self.positions))
        return found

    def require_same(self, entries: Table) -> None:
        """Raise `UsageError` for a setting that the network or its tokens do not have.

        The parts of its attention may differ: their weights are newly initialized.
        """
        said = entries["task"]
        known = getattr(self.config, "image_size", None)
        if known is not None and said.get("size") != known[0]:
            raise UsageError(
                f"the network in {self.path} has positions for pictures of size {known[0]}, and "
                f"{said.get('size')} is asked for: leave size out"
            )
        if not self.reads_pictures and said.get("tokens") != {"kind": "given"}:
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

        Raises `ValueError` for texts that are longer than its positions.
        """
        if self.reads_pictures:
            learned = kind.learn(corpus, settings)
            return replace(learned, colors=published_colors(self.folder))
        coder = kind.learn(corpus, WithTokens(settings, [self.tokenizer]))
        vocab = self.config.vocab
        known = {
            "positions": self.positions,
            "embedded": None if vocab == len(self.tokenizer) else vocab,
            "before": getattr(self.config, "begin", None),
        }
        coder = replace(coder, **{k: v for k, v in known.items() if hasattr(coder, k)})
        name = next(n for n in LENGTHS if n in _fields(kind.name))
        if self.positions is not None and coder.reach > self.positions:
            raise ValueError(
                f"up to {coder.reach:,} tokens would be read at once, and the network in "
                f"{self.path} has positions for {self.positions:,}; give a smaller {name}, "
                f"{kind.longest_within(self.positions)} at most"
            )
        return coder

    def held(self, model: Any) -> tuple[dict[str, Tensor], list[str]]:
        """Its weights, by their names in a network for a task, and the names of those left out."""
        return published_tensors(self.folder, model.config.tag)

    @cached_property
    def names(self) -> dict[str, tuple[str, ...]]:
        """The names of the entries that its sizes count."""
        labels = labels_of(self.folder)
        return {"classes": labels} if labels else {}


def _reads_pictures(task: str) -> bool:
    schema = task_class(task).schema
    return schema is not None and schema.inputs[0].kind is ColumnKind.IMAGE


def _fields(task: str) -> dict[str, Any]:
    return defaults(task_class(task).settings_type)

"""One setting for the size of a Transformer: width, layers, heads, learning rate and budget."""

from collections.abc import Mapping, Sequence
from typing import Any

from regard._nearest import nearest
from regard._printable import shown
from regard.config import fields_of
from regard.errors import UsageError
from regard.models import MODELS, model_class
from regard.run.settings import Table

DIAL = "size"

SIZES: dict[str, dict[str, int | float]] = {
    "tiny": {"embed_dim": 128, "layers": 2, "num_heads": 2, "learning_rate": 1e-3, "steps": 1.0},
    "mini": {"embed_dim": 256, "layers": 4, "num_heads": 4, "learning_rate": 7e-4, "steps": 1.5},
    "small": {"embed_dim": 512, "layers": 4, "num_heads": 8, "learning_rate": 5e-4, "steps": 2.0},
    "medium": {"embed_dim": 512, "layers": 8, "num_heads": 8, "learning_rate": 4e-4, "steps": 3.0},
    "base": {"embed_dim": 768, "layers": 12, "num_heads": 12, "learning_rate": 2e-4, "steps": 5.0},
    "large": {
        "embed_dim": 1024,
        "layers": 24,
        "num_heads": 16,
        "learning_rate": 1e-4,
        "steps": 9.0,
    },
}
"""Devlin et al.'s and Turc et al.'s sizes; hidden layers are four times as wide as a token.

`steps` multiplies the recipe's number of updates, if it counts them: on running text each update
reads more, while the number of epochs over the same examples is unchanged.
"""

WIDTHS = ("embed_dim", "layers", "num_heads", "ff_dim")


def size_asked(given: Sequence[tuple[str, Any]]) -> str | None:
    """The requested size, if any; a number is a vocabulary size.

    Raises `UsageError` with the nearest names for an unknown one.
    """
    asked = [value for key, value in given if key == DIAL and not _is_number(value)]
    if not asked:
        return None
    if asked[-1] not in SIZES:
        raise UsageError(f"there is no size {shown(asked[-1])}: {nearest(str(asked[-1]), SIZES)}")
    return str(asked[-1])


def is_dial(key: str, value: Any) -> bool:
    """Whether a setting is `size`."""
    return key == DIAL and not _is_number(value)


def sized(size: str, base: Table) -> dict[str, dict[str, Any]]:
    """What a size sets, over the recipe `base`; raises `UsageError` for a network without sizes."""
    model = base["model"]["name"]
    if not _has_sizes(model):
        having = ", ".join(each for each in MODELS if _has_sizes(each))
        raise UsageError(
            f"the model {model} has no sizes to dial; set its widths by their names, or choose "
            f"one of {having}"
        )
    row = SIZES[size]
    widths = {"ff_dim": 4 * row["embed_dim"], **{name: row[name] for name in WIDTHS[:3]}}
    train: dict[str, Any] = {"learning_rate": row["learning_rate"]}
    if "steps" in base["train"]:
        train["steps"] = int(base["train"]["steps"] * row["steps"])
    return {"model": widths, "train": train}


def told(size: str, entries: Table) -> str:
    """What a size has set, as a sentence; explicitly given settings are as given."""
    names = {"model": WIDTHS, "train": ("learning_rate", "steps", "epochs")}
    found = [
        f"{name} {entries[part][name]}"
        for part, some in names.items()
        for name in some
        if entries[part].get(name) is not None
    ]
    return f"Of size {size}: {', '.join(found)}."


def _has_sizes(model: str) -> bool:
    return set(WIDTHS) <= fields_of(model_class(model).config_type).keys()


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return isinstance(value, Mapping)
    return True

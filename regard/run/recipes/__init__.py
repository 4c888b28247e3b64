"""Recipes: settings known to work, each a TOML file that can be copied, changed and given back."""

from functools import cache
from pathlib import Path
from typing import Any

from regard._nearest import nearest
from regard._printable import shown
from regard.errors import UsageError
from regard.models import MODELS
from regard.tasks import task_class

Table = dict[str, dict[str, Any]]

FOLDER = Path(__file__).parent

USUAL = {
    "translate": "transformer",
    "text_to_text": "t5",
    "span_corruption": "t5_pretraining",
    "classify": "transformer_classifier",
    "regress": "lstm_regressor",
    "multilabel": "cnn_multilabel",
    "image_classify": "cifar_resnet20",
    "segment": "unet",
    "caption": "captioner",
    "tag": "lstm_tagger",
    "match": "abcnn",
    "similarity": "abcnn_similarity",
    "answer": "memory",
    "extract": "attentive_reader",
    "recommend": "din",
    "permutation_lm": "xlnet",
    "language_model": "transformer_lm",
    "masked_lm": "bert",
    "dates": "dates",
}
"""Task → the recipe that is followed where none is named."""

LIKE = {"regress": "classify", "multilabel": "classify", "similarity": "match"}
"""Task → one whose networks do it too, by its recipes less what the task has no option for."""

OLDER = {"stories": "memory", "characters": "transformer_lm"}
"""What recipes were called in version 0.1; understood for one release."""


def names() -> list[str]:
    """The names of all recipes, sorted."""
    return sorted(file.stem for file in FOLDER.glob("*.toml"))


def text_of(name: str) -> str:
    """A recipe as it is written; raises `UsageError` with the nearest names."""
    return (FOLDER / f"{resolved(name)}.toml").read_text("utf-8")


@cache
def _read(name: str) -> Table:
    import tomllib  # Where only the names are asked for, this would be most of the time.

    return tomllib.loads((FOLDER / f"{name}.toml").read_text("utf-8"))


def recipe(name: str) -> Table:
    """A recipe's settings, by its name or that of a task."""
    return _read(resolved(name))


def resolved(name: str) -> str:
    """The recipe that a name stands for: its own, a task's usual one, or an older name.

    >>> resolved("lstm"), resolved("classify"), resolved("stories")
    ('lstm', 'transformer_classifier', 'memory')
    """
    found = USUAL.get(name) or OLDER.get(name) or name
    if found not in names():
        known = sorted({*names(), *USUAL})
        raise UsageError(f"there is no recipe {shown(name)}: {nearest(name, known)}")
    return found


def recipe_for(task: str, model: str | None) -> Table:
    """The recipe of a task for a network, by its name or that of its family.

    Raises `UsageError` when no recipe has the network do the task.

    >>> recipe_for("classify", "transformer")["model"]["name"]
    'transformer_classifier'
    """
    if model is None:
        return recipe(task)
    fitting = _recipes_of(task)
    for table in fitting:
        if table["model"]["name"] == model:
            return table
    for table in fitting:
        if _family(table["model"]["name"]) == _family(model):
            return table
    if model not in MODELS:
        raise UsageError(f"there is no model {shown(model)}: {nearest(model, MODELS)}")
    models = " or ".join(dict.fromkeys(table["model"]["name"] for table in fitting))
    raise UsageError(f"no recipe trains the model {shown(model)} for {task}; choose {models}")


@cache
def _recipes_of(task: str) -> list[Table]:
    """The recipes of a task, and those of the one that it is like."""
    from regard.config import fields_of  # Slow, and names are asked for by every `--help`.

    usual_first = sorted(names(), key=lambda name: name != USUAL.get(task))
    found = [_read(name) for name in usual_first if _read(name)["task"]["name"] == task]
    if task in LIKE:
        options = fields_of(task_class(task).settings_type)
        for table in _recipes_of(LIKE[task]):
            kept = {name: value for name, value in table["task"].items() if name in options}
            found.append({**table, "data": {}, "task": {**kept, "name": task}})
    return found


def brings_data(name: str) -> bool:
    """Whether a recipe can be followed without data of one's own."""
    table = _read(name)
    return "path" in table.get("data", {}) or table["task"]["name"] == "dates"


def _family(model: str) -> str:
    """The folder that a network's class is in."""
    return MODELS.get(model, model).partition(":")[0]

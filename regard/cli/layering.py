"""Settings laid one over the other: recipe, file, flags, `--set`, and what the data decides."""

from collections.abc import Sequence
from pathlib import Path

from regard.cli.mistake import Mistake
from regard.cli.preparation import read_corpus
from regard.cli.recipes import RECIPES, Table, brings_data, recipe, recipe_for
from regard.cli.settings import Settings, check, data_of, read_assignments, read_toml, settings_of
from regard.data.reading.corpus import Corpus

CONFIG = "config.toml"
BUDGETS = ("epochs", "steps", "seconds")


def layers_of(
    name: str | None,
    given: Table,
    config: Path | None,
    assignments: Sequence[str],
    resume: str,
) -> list[Table]:
    """Settings in the order in which later ones win."""
    layers = [recipe(name)] if name else []
    if resume not in ("auto", "never"):
        layers.append(read_toml(run_config(Path(resume))))
    if config is not None:
        layers.append(read_toml(config))
    layers += [_in_seconds(given), read_assignments(assignments)]
    check(*layers)
    return layers


def _in_seconds(given: Table) -> Table:
    """What was given, its minutes as seconds."""
    train = dict(given.get("train", {}))
    if "minutes" in train:
        train["seconds"] = 60 * train.pop("minutes")
    return {**given, "train": train}


def decided_by_data(layers: Sequence[Table], cache: Path | None) -> tuple[Settings, Corpus | None]:
    """The settings, with what the data itself decides; and the data."""
    asked = data_of(*layers)
    if asked.task == "dates":
        return settings_of(*_one_budget([recipe_for("dates", None), *layers])), None
    if not asked.path:
        raise Mistake(
            "say what to learn from: --data PATH, or a recipe that brings its own data: "
            f"{', '.join(name for name in RECIPES if brings_data(name))}"
        )
    corpus = read_corpus(asked, cache)
    decided: Table = {"data": {"task": corpus.task}}
    if corpus.task == "translate":
        decided["data"] |= {"source": corpus.names[0], "target": corpus.names[1]}
    model = next(
        (layer["model"]["name"] for layer in layers[::-1] if "name" in layer.get("model", {})), None
    )
    base = recipe_for(corpus.task, model)
    if asked.streaming and not any("evaluate_every" in each.get("train", {}) for each in layers):
        # A stream has no end at which all processes could look.
        decided["train"] = {"evaluate_every": 1000}
    return settings_of(*_one_budget([base, *layers]), decided), corpus


def _one_budget(layers: Sequence[Table]) -> list[Table]:
    """The layers, of whose budgets only those of the last one that has any stay."""
    last = max((i for i, layer in enumerate(layers) if _budgets(layer)), default=-1)
    return [
        layer
        if i >= last
        else {
            section: {k: v for k, v in entries.items() if section != "train" or k not in BUDGETS}
            for section, entries in layer.items()
        }
        for i, layer in enumerate(layers)
    ]


def _budgets(layer: Table) -> set[str]:
    return set(BUDGETS) & layer.get("train", {}).keys()


def run_config(folder: Path) -> Path:
    """The settings of a run; raises `Mistake` when the folder has none."""
    if not (folder / CONFIG).is_file():
        raise Mistake(
            f"--resume {folder}: there is no run, its {CONFIG} is missing; say auto, "
            "never, or the folder of a run"
        )
    return folder / CONFIG

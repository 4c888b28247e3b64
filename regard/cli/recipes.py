"""Recipes: settings known to work, each a literal table of differences from the defaults."""

from difflib import get_close_matches
from typing import Any

from regard.cli.mistake import Mistake

Table = dict[str, dict[str, Any]]

TRANSLATE: Table = {
    "data": {"task": "translate", "smoothing": 0.1, "batch_tokens": 3072},
    "tokens": {"kind": "bpe", "size": 8000},
    "model": {"dropout": 0.2},
    "train": {
        "epochs": 25.0,
        "learning_rate": 3e-3,
        "warmup": 800.0,
        "beta2": 0.98,
        "weight_decay": 1e-4,
        "average": 5,
    },
}
"""Vaswani et al. 2017 for tens of thousands of pairs: 4 + 4 layers of width 128.

The published schedule, which never ends, is `schedule="inverse_sqrt"`; where the end is known, a
cosine gets further in the same time.
"""

RNNSEARCH: Table = {
    "data": {"task": "translate", "smoothing": 0.1, "batch_tokens": 3072},
    "tokens": {"kind": "bpe", "size": 8000},
    "model": {
        "name": "rnnsearch",
        "score": "additive",
        "embed_dim": 128,
        "hidden_dim": 256,
        "align_dim": 128,
        "maxout_dim": 128,
        "dropout": 0.3,
    },
    "train": {"epochs": 12.0, "learning_rate": 2e-3, "warmup": 0.03, "average": 3},
}
"""Bahdanau et al. 2014 for tens of thousands of pairs."""

LUONG: Table = {
    "data": {"task": "translate", "smoothing": 0.1, "batch_tokens": 3072},
    "tokens": {"kind": "bpe", "size": 8000},
    "model": {
        "name": "luong",
        "score": "general",
        "embed_dim": 128,
        "hidden_dim": 256,
        "layers": 2,
        "dropout": 0.3,
    },
    "train": {"epochs": 12.0, "learning_rate": 4e-3, "warmup": 0.03, "average": 3},
}
"""Luong et al. 2015 for tens of thousands of pairs."""

CLASSIFY: Table = {
    "data": {"task": "classify", "path": "made:opinions", "smoothing": 0.0},
    "tokens": {"kind": "bpe", "size": 8000},
    "model": {"layers": 2, "norm": "pre", "dropout": 0.3, "tied": "none"},
    "train": {"epochs": 10.0, "learning_rate": 1e-3, "weight_decay": 0.1, "patience": 3},
}

LSTM: Table = {
    "data": {"task": "classify", "path": "made:opinions", "smoothing": 0.0, "batch_tokens": 2048},
    "tokens": {"kind": "words", "size": 10_000, "lowercase": True},
    "model": {
        "name": "lstm",
        "summary": "attention",
        "embed_dim": 100,
        "hidden_dim": 50,
        "align_dim": 50,
        "dropout": 0.5,
        "word_dropout": 0.2,
    },
    "train": {"epochs": 6.0, "learning_rate": 4e-3, "weight_decay": 0.01},
}
"""A few thousand sentences are soon learned by heart: small, and much left out."""

CNN: Table = {
    "data": {"task": "classify", "path": "made:opinions", "smoothing": 0.0, "batch_tokens": 2048},
    "tokens": {"kind": "words", "size": 20_000, "lowercase": True},
    "model": {
        "name": "cnn",
        "summary": "max",
        "embed_dim": 100,
        "filters": 50,
        "dropout": 0.5,
        "word_dropout": 0.1,
    },
    "train": {"epochs": 10.0, "learning_rate": 2e-3, "weight_decay": 1e-4, "patience": 3},
}
"""Kim 2014; every other summary with `--set summary=...`."""

HAN: Table = {
    "data": {
        "task": "classify",
        "path": "made:reviews",
        "longest": 2048,
        "smoothing": 0.0,
        "batch_tokens": 4096,
    },
    "tokens": {"kind": "words", "size": 20_000, "lowercase": True, "sentences": True},
    "model": {
        "name": "han",
        "embed_dim": 50,
        "hidden_dim": 25,
        "align_dim": 50,
        "dropout": 0.3,
        "word_dropout": 0.1,
    },
    "train": {"epochs": 8.0, "learning_rate": 5e-3, "weight_decay": 0.01, "patience": 3},
}
"""Yang et al. 2016 for a few thousand documents; flat attention is the recipe `lstm`."""

ABCNN: Table = {
    "data": {
        "task": "match",
        "path": "made:paraphrases",
        "longest": 64,
        "smoothing": 0.0,
        "batch_tokens": 1536,
    },
    "tokens": {"kind": "words", "size": 20_000, "lowercase": True},
    "model": {"name": "abcnn", "dropout": 0.0},
    "train": {"epochs": 5.0, "learning_rate": 1e-2, "warmup": 50.0},
}
"""Yin et al. 2016; the kind of attention with `--set attention=...`."""

STORIES: Table = {
    "data": {"task": "answer", "path": "made:qa2", "batch_size": 32, "smoothing": 0.0},
    "model": {"name": "memory"},
    "train": {
        "epochs": 100.0,
        "learning_rate": 1e-2,
        "weight_decay": 0.0,
        "evaluate_every": 280,
    },
}
"""Sukhbaatar et al. 2015: 3 hops of width 20; the kind of story with `--data made:qa1` to `qa8`."""

CHARACTERS: Table = {
    "data": {"task": "language_model", "block": 64, "batch_size": 12, "smoothing": 0.0},
    "tokens": {"kind": "characters"},
    "model": {
        "embed_dim": 128,
        "num_heads": 4,
        "ff_dim": 512,
        "layers": 4,
        "norm": "pre",
        "activation": "gelu",
        "positions": "learned",
        "tied": "output",
        "dropout": 0.0,
    },
    "train": {
        "steps": 2000,
        "learning_rate": 1e-3,
        "warmup": 100.0,
        "floor": 0.1,
        "weight_decay": 0.1,
        "evaluate_every": 250,
    },
}
"""A small GPT over characters: 4 layers of width 128 that see 64 characters."""

DATES: Table = {
    "data": {"task": "dates", "smoothing": 0.0},
    "model": {"name": "rnnsearch", "score": "additive", "dropout": 0.0},
    "train": {
        "seconds": 120.0,
        "learning_rate": 8e-3,
        "warmup": 0.02,
        "evaluate_every": 400,
    },
}
"""Dates in every language; the learning rate is high for a recurrent network, which a gradient
clipped to 1 and a decay to 0 allow."""

DIN: Table = {
    "data": {
        "task": "recommend",
        "path": "made:interests",
        "longest": 50,
        "batch_tokens": 2048,
        "smoothing": 0.0,
    },
    "model": {
        "name": "din",
        "embed_dim": 16,
        "attention_dim": 80,
        "hidden_dim": 64,
        "second_dim": 32,
        "l2": 0.01,
    },
    "train": {"epochs": 10.0, "learning_rate": 5e-3, "weight_decay": 0.0, "patience": 3},
}
"""Zhou et al. 2018 for tens of thousands of interactions."""

YOUTUBE_DNN: Table = {
    "data": {
        "task": "recommend",
        "path": "made:interests",
        "longest": 50,
        "batch_tokens": 2048,
        "smoothing": 0.0,
    },
    "model": {"name": "youtube_dnn", "embed_dim": 32, "layers": 2, "samples": 256},
    "train": {"epochs": 10.0, "learning_rate": 5e-3, "weight_decay": 0.0, "patience": 3},
}
"""Covington et al. 2016 for tens of thousands of interactions."""

RECIPES: dict[str, Table] = {
    "translate": TRANSLATE,
    "rnnsearch": RNNSEARCH,
    "luong": LUONG,
    "classify": CLASSIFY,
    "lstm": LSTM,
    "cnn": CNN,
    "han": HAN,
    "match": ABCNN,
    "stories": STORIES,
    "characters": CHARACTERS,
    "din": DIN,
    "youtube_dnn": YOUTUBE_DNN,
    "dates": DATES,
}

BY_TASK = {
    ("translate", "transformer"): "translate",
    ("translate", "rnnsearch"): "rnnsearch",
    ("translate", "luong"): "luong",
    ("classify", "transformer"): "classify",
    ("classify", "lstm"): "lstm",
    ("classify", "cnn"): "cnn",
    ("classify", "han"): "han",
    ("match", "abcnn"): "match",
    ("answer", "memory"): "stories",
    ("language_model", "transformer"): "characters",
    ("recommend", "din"): "din",
    ("recommend", "youtube_dnn"): "youtube_dnn",
    ("dates", "rnnsearch"): "dates",
}
"""The recipe for a task and a model where none is named."""


def brings_data(name: str) -> bool:
    """Whether a recipe can be followed without data of one's own."""
    data = RECIPES[name]["data"]
    return "path" in data or data["task"] == "dates"


def recipe(name: str) -> Table:
    """A recipe by its name; raises `Mistake` with the nearest three."""
    if name not in RECIPES:
        near = get_close_matches(name, RECIPES, 3, 0.4)
        hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(RECIPES)}"
        raise Mistake(f"there is no recipe {name!r}: {hint}")
    return RECIPES[name]


def recipe_for(task: str, model: str | None) -> Table:
    """The recipe of a task, for the model that was asked for or the usual one.

    Raises `Mistake` when the model does not do the task.
    """
    names = {model: recipe for (t, model), recipe in BY_TASK.items() if t == task}
    if model is None:
        return RECIPES[next(iter(names.values()))]
    if model not in names:
        raise Mistake(
            f"no recipe trains the model {model!r} for {task}; choose {' or '.join(names)}"
        )
    return RECIPES[names[model]]

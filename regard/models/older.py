"""Configurations of version 0.1, whose parts stood in `task.json`; read for one release."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from regard._io.files import read_json_file

Entries = dict[str, Any]

ITEMS = "items.json"
"""Where a recommender's items are."""

UNSAVED = dict.fromkeys(("din", "youtube_dnn"), "embedding.features")
"""`model_type` → the tensor of the network that was not saved with it, for its task knows it."""

NUMBERS = {"cosine": "cosine(0.1)", "top_k": "top_k(8)", "soft_cap": "soft_cap(30.0)"}
"""What these names meant, which had no numbers of their own."""


def upgraded(entries: Entries, folder: Path) -> Entries:
    """The configuration as it would be written today; one that is not known stays as it is.

    Raises `ValueError` for one that version 0.1 did not write.
    """
    path = folder / "task.json"
    about = read_json_file(path) if path.is_file() else {}
    convert = CONVERSIONS.get(str(entries.get("model_type")))
    if convert is None:
        return entries
    try:
        if entries.get("max_length", 0) is None:
            # Where positions were not learned, only the task knew how long its sequences are.
            entries["max_length"] = about.get("longest", about.get("block"))
        return convert({**_parts(about), **_sizes_of_items(folder), **entries})
    except KeyError as error:
        raise ValueError(f"it lacks {error}, as version 0.1 wrote it") from None
    except (TypeError, AttributeError, ArithmeticError) as error:
        raise ValueError(f"it is not what version 0.1 wrote: {error}") from None


def saved_beside(folder: Path) -> dict[str, Tensor]:
    """Tensors of a network that were not saved with it: what is known of the items.

    Raises `ValueError` when the file of the items is damaged.
    """
    config = read_json_file(folder / "config.json")
    if "format" in config or config.get("model_type") not in UNSAVED:
        return {}
    features = _item_features(folder)
    return {UNSAVED[config["model_type"]]: features} if features.numel() else {}


def _sizes_of_items(folder: Path) -> Entries:
    """How many features each item has, where there are items."""
    if not (folder / ITEMS).is_file():
        return {}
    return {"feature_columns": _item_features(folder).shape[1]}


def _item_features(folder: Path) -> Tensor:
    """The table of `items.json`, `[items, columns]`."""
    path = folder / ITEMS
    if not path.is_file():
        return torch.zeros(0, 0, dtype=torch.long)
    try:
        table = torch.tensor(read_json_file(path)["features"])
        if table.ndim != 2 or (table.numel() and table.dtype != torch.long):
            raise ValueError(f"its features are {table.dtype}{list(table.shape)}")
    except (ValueError, KeyError, TypeError, RuntimeError, OverflowError) as error:
        raise ValueError(f"{path} holds no table of items: {error}") from None
    return table.long()


def _parts(about: Mapping[str, Any]) -> Entries:
    """The parts that `task.json` named, as they are spelled now."""
    found: Entries = {}
    for role in ("score", "normalizer", "score_mod"):
        if role in about:
            found[role] = NUMBERS.get(about[role], about[role])
    if about.get("window"):
        found["mask"] = f"sliding_window({about['window']}, {about['window']})"
    if "attention_dropout" in about:
        found["attention_dropout"] = about["attention_dropout"]
    return found


def _lstm(entries: Entries) -> Entries:
    pool = _taken(entries, "score", "normalizer")
    pool["attention_dim"] = entries.pop("align_dim")
    kind, estimator = entries.pop("summary"), entries.pop("estimator")
    pooling: Entries = {"kind": kind}
    if kind in ("attention", "hard"):
        pooling |= pool
    if kind == "hard":
        pooling["estimator"] = estimator
    both = entries.pop("directions") == 2
    return {**entries, "pooling": pooling, "bidirectional": both}


def _cnn(entries: Entries) -> Entries:
    parts = _taken(entries, "score", "normalizer")
    kind, widths = entries.pop("summary"), (entries.pop("narrowest"), entries.pop("widest") + 1)
    attention_dim, hidden_dim = entries.pop("align_dim"), entries.pop("hidden_dim")
    pooling: Entries = {"kind": kind}
    if kind == "attention":
        pooling |= {**parts, "attention_dim": attention_dim}
    if kind == "guided":  # by a bilinear form, whatever the score was said to be
        pooling |= {**parts, "score": "general", "hidden_dim": hidden_dim}
    return {**entries, "widths": list(range(*widths)), "pooling": pooling}


def _han(entries: Entries) -> Entries:
    parts = _taken(entries, "score", "normalizer")
    parts["attention_dim"] = entries.pop("align_dim")
    for level in ("word", "sentence"):  # `words` in config.json, `word_summary` in config.toml
        kind = entries.pop(f"{level}s", None) or entries.pop(f"{level}_summary")
        entries[f"{level}_pooling"] = {"kind": kind, **(parts if kind == "attention" else {})}
    return entries


def _rnnsearch(entries: Entries) -> Entries:
    parts = _taken(entries, "score", "normalizer")
    width, attention_dim = entries.pop("state_dim"), entries.pop("align_dim")
    if width != entries["hidden_dim"]:
        raise ValueError(
            f"its decoder's state is {width} wide and its encoder's {entries['hidden_dim']}; today "
            "they are equal, so it has to be trained again"
        )
    search = {"kind": "search", "attention_dim": attention_dim, **parts}
    blind = entries.pop("attention", "search") == "none"
    return {**entries, "attention": {"kind": "none"} if blind else search}


def _luong(entries: Entries) -> Entries:
    names = ("score", "window", "input_feeding", "variant")
    parts = {**_taken(entries, "normalizer"), **{name: entries.pop(name) for name in names}}
    kind, longest = entries.pop("attention"), entries.pop("longest")
    parts["input_feeding"] = parts["input_feeding"] == "on"
    if parts["score"] == "concat":
        # The authors' code leaves the keys as they are, which is what `additive` does here.
        parts["score"] = "luong_concat" if parts["variant"] == "paper" else "additive"
    unused = {"global": ("window", "variant"), "local_m": ("variant",), "local_p": ("normalizer",)}
    kept = {} if kind == "none" else parts
    kept = {name: value for name, value in kept.items() if name not in unused.get(kind, ())}
    return {**entries, "attention": {"kind": kind, **kept}, "max_source_length": longest}


def _abcnn(entries: Entries) -> Entries:
    _taken(entries, "score", "normalizer")
    return {**entries, "places": "own"}


def _memory(entries: Entries) -> Entries:
    parts = _taken(entries, "score", "normalizer")
    kind, estimator = entries.pop("attention"), entries.pop("estimator")
    if kind == "hard":  # which drew by a softmax, whatever the normalizer was said to be
        parts = {**_only(parts, "score"), "estimator": estimator}
    encoding, official = entries.pop("encoding"), entries.pop("variant", "paper") == "official"
    max_words = entries.pop("max_words", None)
    words: Entries = {"kind": encoding}
    if encoding == "position" and official:
        words = {"kind": "official_position", "max_words": max_words}
    _taken(entries, "linear_epochs")
    return {**entries, "encoding": words, "attention": {"kind": kind, **parts}}


def _din(entries: Entries) -> Entries:
    _taken(entries, "score", "normalizer", "negatives", "l2")
    official, units = entries.pop("variant") == "official", entries.pop("attention_dim")
    pooling: Entries = {"kind": entries.pop("pool")}
    if pooling["kind"] == "attention" and official:
        dims = (units, max(1, units // 2))
        pooling |= {"score": f"mlp(hidden_dims={dims})", "normalizer": "softmax"}
    elif pooling["kind"] == "attention":
        score = f"mlp(hidden_dims=({units},), variant=paper)"
        pooling |= {"score": score, "normalizer": "unnormalized"}
    return {**entries, "pooling": pooling, "interest_layer": official, "item_bias": official}


def _youtube_dnn(entries: Entries) -> Entries:
    _taken(entries, "score", "normalizer", "samples")
    pooling = {"kind": entries.pop("pool")}
    return {**entries, "pooling": pooling}


def _transformer(entries: Entries) -> Entries:
    parts = _taken(entries, "score", "score_mod", "mask", "normalizer")
    for old, new in (("encoder_layers", "layers"), ("pool", "pooling")):
        if old in entries:
            entries[new] = entries.pop(old)
    if "attention_dropout" in entries:
        parts["dropout"] = entries.pop("attention_dropout")
    if entries.get("max_length", 0) is None:
        del entries["max_length"]
    return {**entries, "attention": parts}


def _only(entries: Entries, *names: str) -> Entries:
    """These entries alone, those that are there."""
    return {name: entries[name] for name in names if name in entries}


def _taken(entries: Entries, *names: str) -> Entries:
    """These entries, which go; those that are there."""
    return {name: entries.pop(name) for name in names if name in entries}


CONVERSIONS: dict[str, Callable[[Entries], Entries]] = {
    "transformer": _transformer,
    "transformer_classifier": _transformer,
    "transformer_lm": _transformer,
    "lstm": _lstm,
    "cnn": _cnn,
    "han": _han,
    "abcnn": _abcnn,
    "rnnsearch": _rnnsearch,
    "luong": _luong,
    "memory": _memory,
    "din": _din,
    "youtube_dnn": _youtube_dnn,
}
"""`model_type` → what makes today's entries of the old ones, parts among them."""

RENAMED: dict[str, dict[str, str]] = {
    "rnnsearch": {"score.": "attend.score.", "normalizer.": "attend.normalizer."},
    "luong": {
        "attention.score.": "attention.attend.score.",
        "attention.normalizer.": "attention.attend.normalizer.",
    },
}
"""`model_type` → how the names of weights began, and how they begin today."""

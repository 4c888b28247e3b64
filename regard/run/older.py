"""The settings of runs that version 0.1 trained; read for one release."""

from collections.abc import Mapping
from typing import Any

from regard.config import fields_of
from regard.models import model_class
from regard.models.older import CONVERSIONS, NUMBERS
from regard.tasks import task_class

Table = dict[str, dict[str, Any]]

FORMS = {"classify": "transformer_classifier", "language_model": "transformer_lm"}
"""Task → the network that was named `transformer`."""
OF_TASK = ("longest", "batch_tokens", "batch_size", "block", "smoothing", "languages")
READ_BY = {
    "translate": ("longest", "batch_tokens", "smoothing"),
    "classify": ("longest", "batch_tokens", "smoothing"),
    "match": ("longest", "batch_tokens", "smoothing"),
    "answer": ("batch_size",),
    "recommend": ("longest", "batch_tokens"),
    "language_model": ("block", "batch_size"),
    "dates": ("languages",),
}
"""Task → the settings under [data] that it used."""
READ_BEFORE = {"labels": "exact", "hold_out": "hash"}
"""How data was read before that was recorded."""
MODEL_OF_DATES = {"embed_dim": 64, "hidden_dim": 96, "align_dim": 32, "maxout_dim": 48}
"""What dates were trained with, whatever the recorded settings."""
OF_LUONG = {"luong_concat": "concat"}
TOKENS = ("kind", "size", "lowercase")
WITH_TOKENS = ("translate", "classify", "match", "language_model")


def upgraded_sections(entries: Mapping[str, Mapping[str, Any]]) -> Table:
    """The sections in their current form; current ones are unchanged."""
    found: Table = {section: dict(given) for section, given in entries.items()}
    if "data" in found:
        # Data is divided and its labels are spelled as they were when the run began.
        found["data"] = {**READ_BEFORE, **found["data"]}
    if "task" not in found.get("data", {}) or "task" in found:
        return found
    data, tokens, model = found.pop("data"), found.pop("tokens", {}), found.pop("model", {})
    name = data.pop("task") or "translate"
    task: dict[str, Any] = {"name": name}
    for key in OF_TASK:
        value = data.pop(key, None)
        if key in READ_BY[name] and value is not None:
            task[key] = value
    if name in WITH_TOKENS:
        read = ("kind", "lowercase") if tokens["kind"] == "characters" else TOKENS
        task["tokens"] = {key: tokens[key] for key in read}
    if name == "translate":
        task["joint"] = tokens.get("joint", True)
    if name == "classify":
        task["sentences"] = tokens.get("sentences", False)
    for key in ("l2", "linear_epochs"):
        if key in model and key in fields_of(task_class(name).settings_type):
            task[key] = float(model.pop(key))
    for kind, key in (("binary", "negatives"), ("sampled_softmax", "samples")):
        if key in model:
            task["loss"] = {"kind": kind, key: model.pop(key)}
    if name == "dates":
        data, model = {}, model | MODEL_OF_DATES
    data["path"] = data.get("path", "").replace("made:", "synthetic:")
    section = {} if name == "dates" else {"data": data}
    return {**section, "task": task, "model": _model(name, model), "train": found["train"]}


def _model(task: str, entries: dict[str, Any]) -> dict[str, Any]:
    """The options of a network, by the conversion that its old `config.json` goes through."""
    name = entries.pop("name", "transformer")
    name = FORMS.get(task, name) if name == "transformer" else name
    for role in ("score", "normalizer", "score_mod"):
        if role in entries:
            entries[role] = NUMBERS.get(entries[role], entries[role])
    if window := entries.pop("window", 0) if name.startswith("transformer") else 0:
        entries["mask"] = f"sliding_window({window}, {window})"
    ponder = entries.pop("ponder", 0.01)
    if name == "transformer_classifier":
        entries.pop("tied", None)
    if name == "transformer_lm" and entries.get("tied") == "all":
        entries["tied"] = "output"
    if name == "rnnsearch":
        entries["state_dim"] = entries["hidden_dim"]
    if name == "luong":
        entries |= {"longest": None, "score": OF_LUONG.get(entries["score"], entries["score"])}
    converted = CONVERSIONS[name](entries)
    if converted.get("sharing") == "adaptive":
        converted["sharing"] = {"kind": "adaptive", "ponder_cost": ponder}
    decided = model_class(name).config_type.from_data
    return {"name": name, **{k: v for k, v in converted.items() if k not in decided}}

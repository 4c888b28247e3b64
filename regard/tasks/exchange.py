"""A trained network as a folder that stands by itself.

`config.json` and `model.safetensors` are the network, `task.json` and the files beside it what its
task needs; a README.md is for people, and a manifest, written last, vouches for all of it.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from regard._io.files import read_json_file, write_whole
from regard._io.manifest import verify_manifest, vouched_files, write_manifest
from regard.config import Config, checked
from regard.models import checkpoint
from regard.models.attention import Attends
from regard.models.checkpoint import CONFIG, WEIGHTS
from regard.models.weights import count_weights, read_weights, write_weights

TASK, README = "task.json", "README.md"


def save_model(
    folder: Path,
    model: Any,
    weights: Mapping[str, Tensor] | None,
    about: Mapping[str, Any],
    others: Sequence[str],
    asked: str = '"a text"',
) -> None:
    """Write a network's part of the layout; the files `others` are there already.

    Args:
        weights: whole tensors to write in place of the network's own, which may be sharded.
        about: what `task.json` says; `task` names the task.
        asked: an input, as it is typed.
    """
    write_weights(model, folder / WEIGHTS, weights)
    if isinstance(getattr(model, "config", None), Config):
        checkpoint.write_config(model, folder)
    else:
        own = {"model_type": None, "class": type(model).__name__}
        write_whole(folder / CONFIG, json.dumps(own).encode())
    text = json.dumps(about, indent=2, ensure_ascii=False) + "\n"
    write_whole(folder / TASK, text.encode())
    write_whole(folder / README, _card(model, about, asked).encode())
    write_manifest(folder, [CONFIG, WEIGHTS, TASK, README, *others])


def load_model(folder: Path, attend: Attends = None, model: nn.Module | None = None) -> Any:
    """The network of a folder, or the weights of a network of the user's own into `model`."""
    if model is None:
        return checkpoint.load_network(folder, attend)
    read_weights(model, folder / WEIGHTS)
    return model.eval()


def read_about(folder: Path) -> dict[str, Any]:
    """What `task.json` says, once every file of the folder is known to be whole.

    Raises `FileNotFoundError` when the folder or a file is missing and `ValueError` when one is
    damaged or not what `save_model` writes.
    """
    if (folder / WEIGHTS).exists():
        # What is no file of weights at all is not read whole to know that.
        count_weights(folder / WEIGHTS)
    verify_manifest(folder, [CONFIG, WEIGHTS, TASK])
    vouched = vouched_files(folder)
    verify_manifest(folder, [name for name in vouched if name not in (CONFIG, WEIGHTS, TASK)])
    about = read_json_file(folder / TASK)
    if not isinstance(about, dict) or not isinstance(about.get("task"), str):
        raise ValueError(f"{folder / TASK} does not name a task; copy the whole run folder again")
    return about


def said(
    folder: Path, entries: Mapping[str, Any], kinds: Mapping[str, Any], needed: Sequence[str] = ()
) -> dict[str, Any]:
    """These entries of `task.json`, those that are there, each as a field of its kind holds it.

    Args:
        kinds: name → what it may hold, as in a `Config`.
        needed: those that have to be there.

    Raises `ValueError` with the file, the name and the value where one does not fit.

    >>> said(Path("best"), {"longest": 3, "task": "match"}, {"longest": int, "block": int})
    {'longest': 3}
    """
    lacking = [name for name in needed if name not in entries]
    if lacking:
        listed = ", ".join(map(repr, lacking))
        raise ValueError(f"{folder / TASK} lacks {listed}; copy the whole run folder again")
    try:
        return {
            name: checked(name, entries[name], kinds[name]) for name in kinds if name in entries
        }
    except (ValueError, TypeError) as error:
        raise ValueError(f"{folder / TASK}: {error}; copy the whole run folder again") from None


def _card(model: Any, about: Mapping[str, Any], asked: str) -> str:
    count = sum(p.numel() for p in model.parameters())
    lines = [f"- {key}: {value}" for key, value in about.items()]
    return "\n".join(
        [
            f"# {type(model).__name__} for {about['task']}",
            "",
            f"{count:,} parameters, trained with regard. Ask it:",
            "",
            "```sh",
            f"regard predict . {asked}",
            "```",
            "",
            *lines,
            "",
        ]
    )

"""`config.json` as timm writes it, in the words of Hugging Face's other folders.

{"architecture": "resnet50.a1_in1k", "num_classes": 1000, "pretrained_cfg": {"mean": ...}}
"""

import re
from collections.abc import Mapping
from typing import Any

from regard._printable import shown

MODEL_TYPE = "timm_resnet"
"""What stands for `model_type`: the one family of timm's that is known here."""
HARMLESS = frozenset(
    ("drop_rate", "drop_path_rate", "drop_block_rate", "zero_init_last", "pretrained", "scriptable")
)
"""Arguments of timm's networks that change nothing in evaluation."""


_DIFFERENT = (
    (r"legacy_.*", "its first pooling has no padding"),
    (r"legacy_seresnet(18|34)", "a ReLU stands in front of each gate"),
    (r"legacy_se(resnet(50|101|152)|net154|resnext.*)", "its strides or shortcuts are others"),
    (r"eca.*", "its gates are those of efficient channel attention"),
    (r"sk.*", "its convolutions are timm's own selective kernels"),
    (r"gc.*", "its gates are those of global context"),
    (r"resnest.*", "its convolutions split attention"),
    (r".*next.*", "its convolutions are in groups"),
    (r"wide_.*", "its bottlenecks are wider"),
    (r".*res[a-z]+\d+(d|t|ts|d_pruned)|ecaresnetlight", "its stem or shortcuts are others"),
    (r".*_gn", "its norms are of groups"),
)
"""Patterns of timm's names of residual networks, and what differs in these."""


def is_timm(entries: Any) -> bool:
    """Whether a `config.json` is timm's, or that of `transformers` around one of timm's networks.

    >>> is_timm({"architecture": "resnet18"}), is_timm({"architectures": ["BertModel"]})
    (True, False)
    """
    return (
        isinstance(entries, dict)
        and isinstance(entries.get("architecture"), str)
        and entries.get("model_type") in (None, "timm_wrapper")
        and "format" not in entries
    )


def in_their_words(entries: Any) -> Any:
    """Timm's `config.json` as `transformers` would write it; any other as it is.

    Raises `ValueError` for arguments of a network that are not computed here.
    """
    if not is_timm(entries):
        return entries
    name = entries["architecture"].partition(".")[0]
    if "res" in name or name.startswith("legacy_"):
        other = [what for pattern, what in _DIFFERENT if re.fullmatch(pattern, name)]
        if other:
            raise ValueError(
                f"its architecture {shown(name)} is not computed here: {', '.join(other)}; of "
                "timm's residual networks resnet, seresnet (18 to 152) and resnet50s are"
            )
    known = _table(entries, "pretrained_cfg")
    made = {**_table(entries, "model_args"), **_table(entries, "pretrained_cfg_overlay")}
    size = made.get("input_size") or known.get("input_size") or (3, 224, 224)
    classes = made.pop("num_classes", entries.get("num_classes", known.get("num_classes")))
    said = {
        "model_type": MODEL_TYPE,
        "architectures": [name],
        "num_channels": made.pop("in_chans", size[0] if isinstance(size, (list, tuple)) else 3),
        "num_labels": classes,
        "global_pool": made.pop("global_pool", entries.get("global_pool", "avg")),
        "id2label": _labels(entries, known),
    }
    other = sorted(name for name in made if name not in HARMLESS | {"input_size", "img_size"})
    if other:
        raise ValueError(
            f"its model_args say {', '.join(other[:5])}, and such a network of timm's is not known"
        )
    return {key: value for key, value in said.items() if value is not None}


def preprocessing(entries: Any) -> dict[str, Any]:
    """How pictures are prepared for a network of timm's, in the words of a preprocessor."""
    known = _table(entries, "pretrained_cfg") if is_timm(entries) else {}
    size = known.get("input_size")
    found = {
        "image_mean": known.get("mean"),
        "image_std": known.get("std"),
        "size": size[1] if isinstance(size, list) and len(size) == 3 else None,
        "crop_pct": known.get("crop_pct"),
    }
    return {key: value for key, value in found.items() if value is not None}


def _table(entries: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = entries.get(name) or {}
    if not isinstance(found, dict):
        raise ValueError(f"its {name} is {shown(found)}, and no table")
    return dict(found)


def _labels(entries: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, str] | None:
    names = entries.get("label_names") or known.get("label_names")
    said = entries.get("label_descriptions") or known.get("label_descriptions") or {}
    if not isinstance(names, list) or not isinstance(said, dict):
        return None
    texts = [str(said.get(name, name)) for name in names]
    # Of two labels that are described alike, only the names differ.
    texts = texts if len(set(texts)) == len(texts) else list(map(str, names))
    return {str(number): text for number, text in enumerate(texts)}

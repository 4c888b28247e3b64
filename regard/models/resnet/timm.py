"""timm's residual networks in a folder: `config.json` with their name, `model.safetensors`."""

from dataclasses import replace
from typing import Any

from regard.models.config_words import CountOfLabels, Word
from regard.models.family import Family
from regard.models.resnet.config import STAGES, ImageNet, ResNetConfig
from regard.models.resnet.convert import COUNT, rules
from regard.models.tensor_rules import Rule
from regard.models.timm_folder import MODEL_TYPE

PREFIX = "timm_model."
"""What `transformers` puts before the names of a network of timm's."""
REDUCTION = 16


def _networks() -> dict[str, dict[str, Any]]:
    """Timm's name of each network that is known → what it says of ours."""
    found: dict[str, dict[str, Any]] = {}
    for depth, (_, bottleneck) in STAGES.items():
        shape = {"kind": ImageNet.tag, "depth": depth}
        found[f"resnet{depth}"] = {"shape": shape}
        least = "" if bottleneck else ", at_least=8"
        gate = f"se(reduction={REDUCTION}{least})"
        found[f"seresnet{depth}"] = {"shape": shape, "block": gate}
        if bottleneck:
            found[f"resnet{depth}s"] = {"shape": {**shape, "stem": "deep"}}
    return found


def _rules(config: ResNetConfig, prefix: str) -> list[Rule]:
    return [
        replace(rule, theirs=tuple(f"{prefix}{name}" for name in rule.theirs))
        for rule in rules(config)
    ]


IMPLIED = _networks()
FAMILY = Family(
    model_type=MODEL_TYPE,
    networks=dict.fromkeys(IMPLIED, "resnet"),
    words=(Word("num_channels", "channels", 3),),
    head_words={"resnet": (CountOfLabels(usual=1000),)},
    rules=_rules,
    prefix=PREFIX,
    dropped=(COUNT,),
    implied=IMPLIED,
    only={"global_pool": ["avg"]},
)

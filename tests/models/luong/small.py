"""Small networks of Luong's kind and a ragged batch for them."""

from typing import Any

import torch
from torch import Tensor

from regard.models.attention import Attends
from regard.models.luong import Luong, LuongConfig
from regard.sequences import Sequences

LENGTHS = (6, 1, 4, 5, 2)
SIZES: dict[str, Any] = {
    "source_vocab": 30,
    "target_vocab": 7,
    "max_source_length": 6,
    "embed_dim": 6,
    "hidden_dim": 5,
    "layers": 2,
    "dropout": 0.0,
}
SCORES = ("dot", "general", "luong_concat", "location", "additive")
WHERE = ("global({})", "local_m(window=2, {})", "local_p(window=2, {})")
FORMS = [
    where.format(f"score={score}, input_feeding={feeding}")
    for where in (*WHERE, "local_p(window=2, variant=official, {})")
    for score in SCORES
    for feeding in ("True", "False")
]
FORMS += ["none"]
"""All scores, everywhere and in windows, with and without feeding, and the authors' variants."""
SOME = [
    "global",
    "global(score=luong_concat, input_feeding=False)",
    "local_m(score=location, window=2)",
    "local_p(score=dot, window=2)",
    "local_p(score=additive, window=2, variant=official, input_feeding=False)",
    "none",
]
"""Every part at least once."""


def config(attention: Any = "global", **choices: Any) -> LuongConfig:
    """Small sizes; nothing is dropped."""
    return LuongConfig.from_entries(SIZES | {"attention": attention} | choices)


def small_model(attention: Any = "global", attend: Attends = None, **choices: Any) -> Luong:
    """A model whose weights are large enough for it to have opinions."""
    torch.manual_seed(0)
    model = Luong(config(attention, **choices), attend)
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(std=0.8)
    return model.double().eval()


def ragged_batch() -> tuple[Sequences, Tensor]:
    """Padded sources, and targets longer than some of them."""
    rng = torch.Generator().manual_seed(1)
    lengths = torch.tensor(LENGTHS)
    source = torch.randint(4, SIZES["source_vocab"], (len(LENGTHS), max(LENGTHS)), generator=rng)
    source[torch.arange(max(LENGTHS)) >= lengths[:, None]] = 0
    target = torch.randint(0, SIZES["target_vocab"], (len(LENGTHS), 5), generator=rng)
    return Sequences(source, lengths), target

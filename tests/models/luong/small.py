"""Small networks of Luong's kind and a ragged batch for them."""

from typing import Any

import torch
from torch import Tensor

from regard.models.luong import Luong, LuongConfig

BEGIN, END = 2, 3
LENGTHS = (6, 1, 4, 5, 2)
SIZES: dict[str, Any] = {
    "source_vocab": 30,
    "target_vocab": 7,
    "embed_dim": 6,
    "hidden_dim": 5,
    "layers": 2,
    "window": 2,
    "longest": 6,
}
SCORES = ("dot", "general", "concat", "location")
WHERE = ("global", "local_m", "local_p")
FORMS = [
    {"attention": where, "score": score, "input_feeding": feeding}
    for where in WHERE
    for score in SCORES
    for feeding in ("on", "off")
]
FORMS += [form | {"variant": "official"} for form in FORMS if form["attention"] == "local_p"]
FORMS += [
    {"attention": "global", "score": "concat", "variant": "official"},
    {"attention": "none", "input_feeding": "off"},
]
"""All scores, everywhere and in windows, with and without feeding, and the authors' variants."""
SOME = [
    {"attention": "global", "score": "general", "input_feeding": "on"},
    {"attention": "global", "score": "concat", "input_feeding": "off"},
    {"attention": "local_m", "score": "location", "input_feeding": "on"},
    {"attention": "local_p", "score": "dot", "input_feeding": "on"},
    {"attention": "local_p", "score": "general", "input_feeding": "off", "variant": "official"},
    {"attention": "none", "input_feeding": "off"},
]
"""Every part at least once."""


def named(form: dict[str, str]) -> str:
    return "-".join(form.values())


def small_model(**form: Any) -> Luong:
    """A model whose weights are large enough for it to have opinions."""
    torch.manual_seed(0)
    model = Luong(LuongConfig(**SIZES | form))
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(std=0.8)
    return model.double().eval()


def ragged_batch(filling: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Sources padded with `filling`, their lengths, and targets longer than some of them."""
    rng = torch.Generator().manual_seed(1)
    lengths = torch.tensor(LENGTHS)
    source = torch.randint(4, SIZES["source_vocab"], (len(LENGTHS), max(LENGTHS)), generator=rng)
    source[torch.arange(max(LENGTHS)) >= lengths[:, None]] = filling
    target = torch.randint(0, SIZES["target_vocab"], (len(LENGTHS), 5), generator=rng)
    return source, lengths, target

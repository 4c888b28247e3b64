"""Modules of a network by name."""

from typing import Any

from torch import Tensor, nn

from regard._nearest import nearest
from regard._printable import shown

NUMBERS_OF_HEADS = (
    "num_heads",
    "num_attention_heads",
    "n_heads",
    "n_head",
    "nhead",
    "num_attn_heads",
    "encoder_attention_heads",
    "heads",
)
"""Attributes of modules, and of their configurations, that hold the number of heads."""

OUTPUTS = (
    "out_proj",
    "o_proj",
    "c_proj",
    "out_lin",
    "to_out",
    "wo",
    "o",
    "output",
    "proj",
    "dense",
)
"""Names of the projection that reads the heads, the least ambiguous first."""


def module_named(owner: str, model: nn.Module, name: str) -> nn.Module:
    """The module of this name in `named_modules()`; `ValueError` with the nearest names if none.

    >>> module_named("ablated", nn.Sequential(nn.Linear(2, 3)), "0")
    Linear(in_features=2, out_features=3, bias=True)
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"{owner} needs model as an nn.Module, got {type(model).__name__}.")
    known = dict(model.named_modules())
    if name not in known:
        near = nearest(str(name), [each for each in known if each][:2000])
        raise ValueError(f"{owner}: the model has no module {shown(name)}: {near[:300]}.")
    return known[name]


def require_eval(owner: str, model: nn.Module) -> None:
    """Raise `ValueError` for a network in training mode, where dropout makes runs differ."""
    if model.training:
        raise ValueError(
            f"{owner} compares runs of the model, which is in training mode, where dropout makes "
            "each of them different; call model.eval() first."
        )


def output_projection(owner: str, model: nn.Module, name: str) -> tuple[str, nn.Module]:
    """The linear module that reads the heads of an attention module, and its name.

    It is the module itself if that has a matrix and no children; otherwise the one inside it, or
    else next to it, with a name in `OUTPUTS`.
    """
    module = module_named(owner, model, name)
    if _is_linear(module):
        return name, module
    around, _, last = name.rpartition(".")
    for place, within in ((name, module), (around, module_named(owner, model, around))):
        found = _outputs(within, skipped=None if within is module else last)
        if len(found) == 1:
            inner = found[0]
            return f"{place}.{inner}" if place else inner, within.get_submodule(inner)
        if found:
            break
    linear = [each for each, held in module.named_modules() if _is_linear(held)]
    what = "several modules that may be" if found else "no module that is known to be"
    raise ValueError(
        f"{owner}: {name!r} holds {what} the projection of its heads' outputs (it has "
        f"{', '.join(found or linear)[:300] or 'no linear module'}); give the name of that "
        "projection in its place."
    )


def number_of_heads(owner: str, model: nn.Module, name: str) -> int:
    """The number of heads according to the module, or to the closest enclosing one that has it."""
    while True:
        module = module_named(owner, model, name)
        for holder in (module, getattr(module, "config", None)):
            for word in NUMBERS_OF_HEADS:
                number = getattr(holder, word, None)
                if isinstance(number, int) and not isinstance(number, bool) and number > 0:
                    return number
        if not name:
            raise ValueError(f"{owner} cannot tell how many heads there are; say of=12, say.")
        name = name.rpartition(".")[0]


def first_tensor(output: Any) -> Tensor:
    """The tensor that a module returns, or the first of several.

    >>> first_tensor((nn.Parameter(Tensor([1.0])), None)).shape
    torch.Size([1])
    """
    found = output
    while isinstance(found, (tuple, list)) and found:
        found = found[0]
    if isinstance(found, dict) and found:
        found = next(iter(found.values()))
    if not isinstance(found, Tensor):
        raise TypeError(
            f"the output is a {type(output).__name__} that does not begin with a tensor; say how "
            "its states are had: state=lambda output: output.last_hidden_state."
        )
    return found


def _is_linear(module: nn.Module) -> bool:
    weight = getattr(module, "weight", None)
    return isinstance(weight, Tensor) and weight.ndim == 2 and not [*module.children()]


def _outputs(module: nn.Module, skipped: str | None) -> list[str]:
    """Names of linear modules inside that are called as outputs are, by the first word that fits.

    Of `output.dense` either word fits.
    """
    named = [
        each
        for each, held in module.named_modules()
        if each and _is_linear(held) and each.split(".")[0] != skipped
    ]
    for word in OUTPUTS:
        found = [each for each in named if word in each.lower().split(".")]
        if found:
            return found
    return []

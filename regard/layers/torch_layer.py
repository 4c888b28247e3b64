"""`torch.nn.MultiheadAttention` and our layer: the same weights under different names."""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from regard.layers.attend import Attend
from regard.layers.join import concat_heads
from regard.layers.part_module import unwrapped
from regard.layers.projection import Fused, Separate
from regard.normalizers import softmax, softmax_one
from regard.scores import ScaledDot

if TYPE_CHECKING:
    from regard.layers.multi_head import MultiHeadAttention

_FUSED, _APART = "in_proj_weight", ("q_proj_weight", "k_proj_weight", "v_proj_weight")


def read_torch(module: nn.MultiheadAttention) -> tuple[dict[str, Any], Attend, dict[str, Tensor]]:
    """The arguments, parts and weights that make our layer equivalent to torch's."""
    if not isinstance(module, nn.MultiheadAttention):
        raise TypeError(f"give an nn.MultiheadAttention, not {type(module).__name__}")
    if module.bias_k is not None or module.bias_v is not None:
        raise ValueError(
            "the layer was built with add_bias_kv=True, a learned key and value that every query "
            "sees, which ours has not: build torch's with add_bias_kv=False"
        )
    bias = module.in_proj_bias is not None
    options: dict[str, Any] = {"bias": bias}
    theirs = {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}
    weights = {"output.weight": theirs["out_proj.weight"]}
    if module.in_proj_weight is not None:
        blocks = {"": [theirs[_FUSED]]}
    else:
        q, k, v = (theirs[name] for name in _APART)
        options["kv_dim"] = module.kdim
        if module.kdim == module.vdim:
            blocks = {"query_input.": [q], "key_value_input.": [k, v]}
        else:
            options["value_dim"] = module.vdim
            blocks = {"query_input.": [q], "key_input.": [k], "value_input.": [v]}
    start = 0
    for name, some in blocks.items():
        weights[f"input.{name}weight"] = torch.cat(some)
        if bias:
            stop = start + sum(len(block) for block in some)
            weights[f"input.{name}bias"] = theirs["in_proj_bias"][start:stop].clone()
            start = stop
    if bias:
        weights["output.bias"] = theirs["out_proj.bias"]
    normalizer = softmax_one if module.add_zero_attn else softmax
    return options, Attend(normalizer=normalizer, dropout=module.dropout), weights


def write_torch(layer: "MultiHeadAttention", batch_first: bool) -> nn.MultiheadAttention:
    """Torch's layer, with the weights of ours."""
    lacking = _lacking(layer)
    if lacking:
        raise ValueError(
            f"torch's layer has no {', no '.join(lacking)}: only a layer without can become one"
        )
    ours = {name: tensor.detach().clone() for name, tensor in layer.state_dict().items()}
    names = _inputs(layer)
    biases = [ours[f"{name}.bias"] for name in names if f"{name}.bias" in ours]
    heads = layer.attend
    module = nn.MultiheadAttention(
        layer.embed_dim,
        layer.num_heads,
        dropout=heads.dropout,
        bias=bool(biases),
        add_zero_attn=unwrapped(heads.normalizer) is softmax_one,
        kdim=layer.kv_dim,
        vdim=layer.value_dim,
        batch_first=batch_first,
        device="meta",
    )
    weights = {"out_proj.weight": ours["output.weight"]}
    if biases:
        weights["in_proj_bias"] = torch.cat(biases)
        weights["out_proj.bias"] = ours["output.bias"]
    blocks = [block for name in names for block in ours[f"{name}.weight"].split(layer.embed_dim)]
    if module.in_proj_weight is not None:
        weights[_FUSED] = torch.cat(blocks)
    else:
        weights.update(zip(_APART, (block.clone() for block in blocks), strict=True))
    module.load_state_dict(weights, assign=True)
    return module.train(layer.training)


def _inputs(layer: "MultiHeadAttention") -> list[str]:
    """The names of our input layers, in the order query, key, value."""
    if isinstance(layer.projection, Fused):
        return ["input"]
    if isinstance(layer.projection, Separate):
        return ["input.query_input", "input.key_value_input"]
    return ["input.query_input", "input.key_input", "input.value_input"]


def _lacking(layer: "MultiHeadAttention") -> list[str]:
    """What our layer has and torch's cannot have."""
    projection, attend = layer.projection, layer.attend
    wrapped = [
        name
        for name in (*_inputs(layer), "output")
        if type(layer.get_submodule(name)) is not nn.Linear
        or not {*layer.get_submodule(name).state_dict()} <= {"weight", "bias"}
    ]
    score, normalizer = unwrapped(attend.score), unwrapped(attend.normalizer)
    normalizer_name = getattr(normalizer, "__name__", normalizer)
    found = {
        f"kv_heads={projection.kv_heads}": projection.kv_heads != projection.heads,
        f"head_dim={projection.head_dim}": (
            projection.heads * projection.head_dim != projection.embed_dim
        ),
        "join other than concat_heads": unwrapped(layer.join) is not concat_heads,
        f"positions={unwrapped(layer.positions)}": layer.positions is not None,
        f"score={score}": score != ScaledDot(),
        f"score_mod={unwrapped(attend.score_mod)}": attend.score_mod is not None,
        f"mask={unwrapped(attend.mask)} of its own": attend.mask is not None,
        f"normalizer={normalizer_name}": normalizer not in (softmax, softmax_one),
        f"wrapped {' and '.join(wrapped)}": bool(wrapped),
    }
    return [name for name, has in found.items() if has]

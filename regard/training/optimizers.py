"""Which optimizer updates which weights, and its state as named tensors."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from regard.training.config import TrainConfig
from regard.training.sharding import gathered, is_shard, sharded_like

MOMENTUM = 0.9
"""The default of SGD."""


def optimizers(model: nn.Module, config: TrainConfig) -> list[Optimizer]:
    """AdamW or SGD for all weights, or Muon for the inner matrices and AdamW for the rest.

    Only matrices have weight decay: a bias or a gain has no direction in which it could grow
    without effect. Muon never updates embeddings and the output layer, whose rows belong to single
    tokens.

    Raises `ValueError` for Muon with sharded weights, of which it would see only a part.

    References:
        Loshchilov & Hutter. Decoupled Weight Decay Regularization. 2019.
        https://arxiv.org/abs/1711.05101
        Jordan et al. Muon: An optimizer for hidden layers in neural networks. 2024.
        https://kellerjordan.github.io/posts/muon/
    """
    weights = {id(p): p for p in model.parameters() if p.requires_grad}
    muons: dict[int, nn.Parameter] = {}
    if config.optimizer == "muon":
        muons = {id(p): p for p in _hidden_matrices(model) if id(p) in weights}
        if any(is_shard(p) for p in muons.values()):
            raise ValueError("muon needs whole matrices; use optimizer adamw with sharded weights")
    rest = [p for key, p in weights.items() if key not in muons]
    groups = [
        {"params": [p for p in rest if p.ndim >= 2], "weight_decay": config.weight_decay},
        {"params": [p for p in rest if p.ndim < 2], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    sharded = any(is_shard(p) for p in rest)
    if config.optimizer == "sgd":
        rate, foreach, fused = config.learning_rate, False if sharded else None, not sharded
        momentum = MOMENTUM if config.momentum is None else config.momentum
        return [torch.optim.SGD(groups, lr=rate, momentum=momentum, fused=fused, foreach=foreach)]
    found: list[Optimizer] = [
        torch.optim.AdamW(
            groups,
            lr=config.learning_rate,
            betas=(0.9, config.beta2),
            eps=1e-9,
            fused=not sharded,
            foreach=False if sharded else None,
        )
    ]
    if muons:
        found.append(
            # The update is scaled so that AdamW's learning rate and decay suit it.
            torch.optim.Muon(
                list(muons.values()),
                lr=config.learning_rate,
                weight_decay=config.weight_decay,
                adjust_lr_fn="match_rms_adamw",
            )
        )
    return found


def _hidden_matrices(model: nn.Module) -> list[nn.Parameter]:
    tokens = {
        id(module.weight)
        for name, module in model.named_modules()
        if isinstance(module, nn.Embedding) or (isinstance(module, nn.Linear) and name == "output")
    }
    return [p for p in model.parameters() if p.ndim == 2 and id(p) not in tokens]


def optimizer_tensors(model: nn.Module, found: list[Optimizer]) -> dict[str, Tensor]:
    """The state of the optimizers, `<what>/<parameter>` → full tensor; call it on every rank."""
    names = {id(p): name for name, p in model.named_parameters()}
    return {
        f"{what}/{names[id(p)]}": whole(value)
        for optimizer in found
        for p, entries in optimizer.state.items()
        for what, value in entries.items()
        if isinstance(value, Tensor)
    }


def restore_optimizers(
    model: nn.Module, found: list[Optimizer], tensors: Mapping[str, Tensor]
) -> None:
    """Restore the state returned by `optimizer_tensors`.

    Raises `ValueError` when a tensor belongs to no parameter or has another shape.
    """
    require_moments_of(model, {key: value.shape for key, value in tensors.items()})
    parameters = dict(model.named_parameters())
    owner = {id(p): o for o in found for group in o.param_groups for p in group["params"]}
    staged: list[tuple[Optimizer, nn.Parameter, str, Tensor]] = []
    for key, value in tensors.items():
        what, _, name = key.partition("/")
        parameter = parameters[name]
        staged.append((owner[id(parameter)], parameter, what, value))
    for optimizer, parameter, what, value in staged:
        # A count of steps lives on the CPU, unless one fused kernel updates it with the weights.
        fused = any(group.get("fused") for group in optimizer.param_groups)
        count = value.to(parameter.device) if fused else value
        optimizer.state[parameter][what] = like(value, parameter) if value.ndim else count


def require_moments_of(model: nn.Module, shapes: Mapping[str, Sequence[int]]) -> None:
    """Raise `ValueError` when a tensor of optimizers belongs to no parameter or does not fit it."""
    parameters = dict(model.named_parameters())
    for key, shape in shapes.items():
        name = key.partition("/")[2]
        if name not in parameters:
            raise ValueError(f"the checkpoint's optimizer has {name!r}, the model has not")
        if len(shape) and list(shape) != list(parameters[name].shape):
            raise ValueError(
                f"the optimizer's {key} is {list(shape)} in the checkpoint, the weight "
                f"{list(parameters[name].shape)}"
            )


def whole(tensor: Tensor) -> Tensor:
    """A tensor with all its shards, on the CPU."""
    return gathered(tensor).detach().cpu()


def like(tensor: Tensor, other: Tensor) -> Tensor:
    """A whole tensor, placed and sharded as another one is."""
    return sharded_like(tensor.to(other.device), other)

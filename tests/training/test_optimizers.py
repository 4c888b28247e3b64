"""Which weights decay, which are Muon's, and the optimizers' memory is put back whole."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from regard.training.config import TrainConfig
from regard.training.optimizers import (
    like,
    optimizer_tensors,
    optimizers,
    restore_optimizers,
    whole,
)
from tests.models.transformer.small import small_model

CONFIG = {
    kind: TrainConfig(
        steps=9, optimizer=kind, learning_rate=0.1, weight_decay=0.5, schedule="constant"
    )
    for kind in ("adamw", "muon", "sgd")
}


class Network(nn.Module):
    """An embedding that is the output layer too, a hidden layer, and a gain."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens = nn.Embedding(7, 4)
        self.hidden = nn.Linear(4, 4)
        self.gain = nn.Parameter(torch.ones(4))
        self.frozen = nn.Parameter(torch.ones(4, 4), requires_grad=False)
        self.output = nn.Linear(4, 7, bias=False)
        self.output.weight = self.tokens.weight

    def forward(self, tokens: Tensor) -> Tensor:
        return self.output(self.hidden(self.tokens(tokens)) * self.gain)


def steps(model: nn.Module, found: list[Any], count: int, seed: int = 0) -> None:
    rng = torch.Generator().manual_seed(seed)
    for _ in range(count):
        for p in model.parameters():
            if p.requires_grad:
                p.grad = torch.randn(p.shape, generator=rng)
        for optimizer in found:
            optimizer.step()


def named(model: nn.Module, optimizer: Any) -> dict[str, float]:
    names = {id(p): name for name, p in model.named_parameters()}
    groups = optimizer.param_groups
    return {names[id(p)]: group["weight_decay"] for group in groups for p in group["params"]}


def test_matrices_decay_and_nothing_else() -> None:
    model = Network()
    (adam,) = optimizers(model, CONFIG["adamw"])
    assert named(model, adam) == {
        "tokens.weight": 0.5,
        "hidden.weight": 0.5,
        "hidden.bias": 0.0,
        "gain": 0.0,
    }


def test_muon_has_the_hidden_matrices_and_adam_the_rest() -> None:
    model = Network()
    adam, muon = optimizers(model, CONFIG["muon"])
    assert named(model, muon) == {"hidden.weight": 0.5}
    assert named(model, adam) == {"tokens.weight": 0.5, "hidden.bias": 0.0, "gain": 0.0}


@pytest.mark.parametrize("kind", CONFIG)
def test_every_weight_of_a_transformer_belongs_to_one_optimizer(kind: str) -> None:
    model = small_model()
    found = [named(model, each) for each in optimizers(model, CONFIG[kind])]
    assert sorted(name for each in found for name in each) == sorted(
        name for name, _ in model.named_parameters()
    )
    for name in found[1] if kind == "muon" else ():
        assert "blocks" in name and "norm" not in name and "bias" not in name


def test_weights_without_a_gradient_decay_by_themselves() -> None:
    model = Network()
    before = model.hidden.weight.detach().clone(), model.hidden.bias.detach().clone()
    (adam,) = optimizers(model, CONFIG["adamw"])
    for p in model.parameters():
        p.grad = torch.zeros_like(p)
    adam.step()
    torch.testing.assert_close(model.hidden.weight.detach(), before[0] * (1 - 0.1 * 0.5))
    assert torch.equal(model.hidden.bias.detach(), before[1])


def test_sgd_has_momentum_and_counts_the_decay_of_matrices_in_it() -> None:
    model = Network()
    (sgd,) = optimizers(model, CONFIG["sgd"])
    assert named(model, sgd) == named(model, optimizers(model, CONFIG["adamw"])[0])
    weight = model.hidden.weight.detach().clone()
    gradients, step = [torch.randn(4, 4), torch.randn(4, 4)], torch.zeros(4, 4)
    for gradient in gradients:
        model.hidden.weight.grad = gradient.clone()
        sgd.step()
        step = 0.9 * step + gradient + 0.5 * weight
        weight = weight - 0.1 * step
    torch.testing.assert_close(model.hidden.weight.detach(), weight)
    with pytest.raises(ValueError, match="momentum 0.3 is for optimizer sgd, and optimizer is ad"):
        TrainConfig(steps=1, momentum=0.3)
    config = TrainConfig(steps=1, optimizer="sgd", momentum=0.3)
    assert optimizers(model, config)[0].param_groups[0]["momentum"] == 0.3


def test_adam_has_the_betas_that_are_asked_for() -> None:
    config = TrainConfig(steps=1, beta2=0.7)
    assert optimizers(Network(), config)[0].param_groups[0]["betas"] == (0.9, 0.7)


@pytest.mark.parametrize("kind", CONFIG)
def test_what_was_saved_goes_on_as_if_nothing_had_happened(kind: str) -> None:
    model = Network()
    found = optimizers(model, CONFIG[kind])
    steps(model, found, 3)
    weights = {name: t.clone() for name, t in model.state_dict().items()}
    tensors = {name: t.clone() for name, t in optimizer_tensors(model, found).items()}
    steps(model, found, 2, seed=1)
    again = Network()
    again.load_state_dict(weights)
    others = optimizers(again, CONFIG[kind])
    restore_optimizers(again, others, tensors)
    steps(again, others, 2, seed=1)
    for (name, one), other in zip(
        model.state_dict().items(), again.state_dict().values(), strict=True
    ):
        assert torch.equal(one, other), name
    last = optimizer_tensors(again, others)
    for name, tensor in optimizer_tensors(model, found).items():
        assert torch.equal(tensor, last[name]), name


def test_a_memory_of_other_weights_is_refused_and_nothing_is_touched() -> None:
    model = Network()
    found = optimizers(model, CONFIG["adamw"])
    steps(model, found, 1)
    before = optimizer_tensors(model, found)
    foreign = before | {"exp_avg/nothing": torch.zeros(3)}
    with pytest.raises(ValueError, match="optimizer has 'nothing', the model has not"):
        restore_optimizers(model, found, foreign)
    wrong = {name: t + 1 for name, t in before.items()} | {"exp_avg/gain": torch.zeros(3)}
    with pytest.raises(ValueError, match=r"exp_avg/gain is \[3\] in the checkpoint, .* \[4\]"):
        restore_optimizers(model, found, wrong)
    after = optimizer_tensors(model, found)
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_whole_and_like_leave_a_tensor_of_one_process_as_it_is() -> None:
    tensor = torch.ones(3, requires_grad=True)
    assert torch.equal(whole(tensor), torch.ones(3)) and not whole(tensor).requires_grad
    assert torch.equal(like(torch.ones(3), torch.zeros(3)), torch.ones(3))

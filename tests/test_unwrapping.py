"""Weights within what others save around them: one clear place is found, others are asked for."""

from collections import OrderedDict
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import nn

from regard._io.unwrapping import shapes_of, unwrapped, without_wrappers

State = dict[str, Any]


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 5, 3))


def below(state: State, prefix: str) -> State:
    return {f"{prefix}{name}": tensor for name, tensor in state.items()}


def average(state: State) -> Any:
    averaged = torch.optim.swa_utils.AveragedModel(network())
    averaged.module.load_state_dict(state)
    return averaged.state_dict()


def saved_whole(state: State) -> State:
    model = network()
    model.load_state_dict(state)
    return {"model": model, "ema": None, "epoch": 3}


def trained(state: State) -> State:
    model = network()
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.randn(2, 3, 9, 9)).sum().backward()
    optimizer.step()
    return {"net": state, "optimizer": optimizer.state_dict(), "epoch": torch.tensor(3)}


WRAPPED: dict[str, tuple[Callable[[State], Any], str]] = {
    "as it is": (dict, ""),
    "ordered": (OrderedDict, ""),
    "model": (lambda s: {"model": s, "epoch": 1}, "checkpoint['model']"),
    "state_dict": (lambda s: {"state_dict": s}, "checkpoint['state_dict']"),
    "two deep": (lambda s: {"a": {"model_state_dict": s}}, "checkpoint['a']['model_state_dict']"),
    "module.": (lambda s: below(s, "module."), "names without 'module.'"),
    "compiled": (lambda s: below(s, "_orig_mod."), "names without '_orig_mod.'"),
    "compiled within": (
        lambda s: {n.replace("3.", "3._orig_mod.", 1): t for n, t in s.items()},
        "names without '_orig_mod.'",
    ),
    "both": (
        lambda s: {"state_dict": below(s, "_orig_mod.module.")},
        "checkpoint['state_dict'], names without 'module.' and '_orig_mod.'",
    ),
    "lightning": (
        lambda s: {"state_dict": below(s, "model.backbone.") | {"loss.weight": torch.ones(2)}},
        "checkpoint['state_dict'], names without 'model.backbone.' (1 other left)",
    ),
    "averaged": (average, "names without 'module.' (1 other left)"),
    "a whole network": (saved_whole, "checkpoint['model']"),
    "with an optimizer": (trained, "checkpoint['net']"),
    "two alike": (lambda s: {"model": s, "ema": deepcopy(s)}, "checkpoint['ema']"),
}


@pytest.mark.parametrize("name", WRAPPED)
def test_one_clear_place_is_found_and_said(name: str) -> None:
    model, state = network(), {n: torch.randn_like(t.float()) for n, t in _state().items()}
    wrap, said = WRAPPED[name]
    found = unwrapped(wrap(state), shapes_of(model))
    assert found.fitting == state.keys()
    assert all(torch.equal(found.tensors[n].float(), t) for n, t in state.items() if t.ndim)
    # Which of two that are alike is taken does not matter.
    assert str(found) in (said, said.replace("ema", "model"))


def _state() -> State:
    return network().state_dict()


TWO: dict[str, tuple[Callable[[State, State], Any], list[str]]] = {
    "model and ema": (lambda a, b: {"model": a, "ema": b}, ["model", "ema"]),
    "prefixes": (
        lambda a, b: {"state_dict": below(a, "online.") | below(b, "target.")},
        ["state_dict:online.", "state_dict:target."],
    ),
    "an average of weights without buffers": (
        lambda a, b: {"model": a, "shadow": {n: t for n, t in b.items() if "running" not in n}},
        ["model", "shadow"],
    ),
}


@pytest.mark.parametrize("name", TWO)
def test_of_two_that_differ_one_must_be_named(name: str) -> None:
    model, first = network(), _state()
    second = {n: t + 1 for n, t in first.items()}
    wrap, parts = TWO[name]
    given = wrap(first, second)
    with pytest.raises(ValueError, match="in 2 places that differ; say which: part=") as raised:
        unwrapped(given, shapes_of(model))
    assert all(f"part={part!r} (" in str(raised.value) for part in parts)
    for part, state in zip(parts, (first, second), strict=True):
        found = unwrapped(given, shapes_of(model), part)
        assert all(torch.equal(found.tensors[n], state[n]) for n in found.fitting)
    with pytest.raises(ValueError, match=f"in part 'teacher'; there are part='{parts[0]}'"):
        unwrapped(given, shapes_of(model), "teacher")


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"epoch": 3}, ValueError, "there is no tensor in the checkpoint: its keys are epoch"),
        ({}, ValueError, "there is no tensor in the checkpoint: it is empty"),
        ("net.pt", TypeError, "got 'str'; read a file first, with torch.load"),
        (
            {"model": {"stem.weight": torch.ones(2)}},
            ValueError,
            "none of the 1 tensors .*: they are called stem.weight, the network's 0.weight, 0.bias",
        ),
        (
            {"0.weight": torch.ones(2), "3.weight": torch.ones(2, 2)},
            ValueError,
            r"0.weight is \[2\] there and \[4, 3, 3, 3\] in the network, and so are 1 others",
        ),
    ],
)
def test_where_nothing_fits_it_says_what_is_there(given: Any, error: Any, said: str) -> None:
    with pytest.raises(error, match=said):
        unwrapped(given, shapes_of(network()))


def test_weights_of_a_part_of_the_network_name_the_part() -> None:
    detector = nn.ModuleDict({"backbone": network(), "head": nn.Linear(3, 4)})
    with pytest.raises(ValueError, match="but of its part backbone: load them into model.backbone"):
        unwrapped(_state(), shapes_of(detector))


def test_a_wrapped_network_takes_plain_weights_and_its_own() -> None:
    plain = _state()
    compiled = torch.compile(network(), backend="eager")
    averaged = torch.optim.swa_utils.AveragedModel(network())
    for model in (compiled, averaged, nn.ModuleDict({"module": network()})):
        own = unwrapped(model.state_dict(), shapes_of(model))
        assert own.fitting == model.state_dict().keys()
    for model in (compiled, nn.ModuleDict({"module": network()})):
        assert unwrapped(plain, shapes_of(model)).fitting == model.state_dict().keys()


def test_names_lose_only_what_is_around_all_of_them() -> None:
    assert without_wrappers(["module.a", "module.b"]) == {"module.a": "a", "module.b": "b"}
    assert without_wrappers(["module.a", "b"]) == {}
    assert without_wrappers(["a", "_orig_mod.a"]) == {}
    assert without_wrappers([]) == {}

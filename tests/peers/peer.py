"""How a block is compared with another library's: the same weights, outputs and gradients."""

import copy
import os
import sys
import types
import warnings
from collections.abc import Mapping
from importlib import import_module
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from typing import Any

import pytest
import torch
from torch import Tensor, nn


def module_of(name: str) -> Any:
    """Another library's module; the test is skipped where it is not installed.

    `make test-peers` has installed it, and there nothing is skipped.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return import_module(name)
    except ImportError:
        if "PEERS" in os.environ:
            raise
        pytest.skip(f"{name} is not installed: pip install --no-deps -r peers.txt")


def timm_layer(name: str) -> Any:
    """A module of timm's layers, which want one class of torchvision's that no test here needs."""
    found = find_spec("timm")
    if found is None or found.submodule_search_locations is None:
        return module_of(f"timm.layers.{name}")
    held = dict(sys.modules)
    try:
        # The package without what it imports of itself: its networks need torchvision throughout.
        timm = types.ModuleType("timm")
        timm.__path__ = [*found.submodule_search_locations]
        misc = types.ModuleType("torchvision.ops.misc")
        misc.FrozenBatchNorm2d = nn.BatchNorm2d
        stand_ins = {"timm": timm, "torchvision.ops.misc": misc}
        for each in ("torchvision", "torchvision.ops"):
            stand_ins[each] = types.ModuleType(each)
            stand_ins[each].__path__ = []
        for each, stand_in in stand_ins.items():
            stand_in.__spec__ = ModuleSpec(each, None)
        sys.modules.update(stand_ins)
        return module_of(f"timm.layers.{name}")
    finally:
        for each in set(sys.modules) - set(held):
            del sys.modules[each]
        sys.modules.update(held)


def assert_same(
    ours: nn.Module, theirs: nn.Module, names: Mapping[str, str], *inputs: Tensor
) -> None:
    """Fail unless both do the same with the same weights, in training and in evaluation.

    Args:
        names: their modules' names and what they are called here. A weight of theirs that is not
            here is left as they drew it; every weight that is here must be there.
    """
    __tracebackhide__ = True
    ours, theirs = ours.double(), theirs.double()
    inputs = tuple(x.double().requires_grad_() for x in inputs)
    here, pairs = ours.state_dict(), []
    for name, tensor in theirs.state_dict().items():
        module, _, leaf = name.rpartition(".")
        our_name = f"{names.get(module)}.{leaf}"
        if our_name in here:
            same = here[our_name]
            pairs.append((name, our_name))
            if tensor.is_floating_point():
                drawn = torch.randn_like(tensor)
                tensor.copy_(drawn.abs() + 0.5 if leaf == "running_var" else drawn)
            same.copy_(tensor.reshape(same.shape))
    assert {name for _, name in pairs} == set(here), "a weight of ours has no counterpart"
    for training in (False, True):
        one, other = (copy.deepcopy(block).train(training) for block in (ours, theirs))
        found, wanted = one(*inputs), other(*inputs)
        torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-10)
        direction = torch.randn_like(wanted)
        gradients = []
        for block, y in ((one, found), (other, wanted)):
            held = dict(block.named_parameters())
            got = torch.autograd.grad((y * direction).sum(), [*inputs, *held.values()])
            gradients.append(
                ([*got[: len(inputs)]], dict(zip(held, got[len(inputs) :], strict=True)))
            )
        (xs, weights), (their_xs, their_weights) = gradients
        for x, their_x in zip(xs, their_xs, strict=True):
            torch.testing.assert_close(x, their_x, rtol=1e-8, atol=1e-9)
        for name, our_name in pairs:
            if our_name in weights:
                gradient = their_weights[name].reshape(weights[our_name].shape)
                torch.testing.assert_close(weights[our_name], gradient, rtol=1e-8, atol=1e-9)
        statistics = dict(one.named_buffers()), dict(other.named_buffers())
        for name, our_name in pairs:
            if our_name in statistics[0] and our_name.endswith(("running_mean", "running_var")):
                torch.testing.assert_close(statistics[0][our_name], statistics[1][name])

"""Vision blocks compile as one graph, and are exported for maps of any size."""

from typing import Any

import torch
from torch import Tensor

from regard.vision import AttentionGate, CovariancePooling
from tests.tables.blocks import Example, after_steps, every


@every
def test_a_block_compiles_as_one_graph(example: Example) -> None:
    """In training, where there is more to compile; the export below is of evaluation."""
    made = after_steps(example.make(), example.maps()).double().train()
    compiled = torch.compile(made, fullgraph=True, backend="aot_eager")
    for places in (example.sizes()[0], example.sizes()[2]):
        assert_same_gradients(compiled, made, example.maps(places).double().requires_grad_())


def test_the_gate_of_a_skip_compiles_as_one_graph() -> None:
    gate = AttentionGate(6, 10, variant="official").double()
    compiled = torch.compile(gate, fullgraph=True, backend="aot_eager")
    for places in ((12, 10), (7, 9)):
        x, g = torch.randn(3, 6, *places).double(), torch.randn(3, 10, 4, 5).double()
        assert_same_gradients(compiled, gate, x.requires_grad_(), g)


def test_covariance_pooling_compiles_as_one_graph() -> None:
    pool = CovariancePooling(6)
    compiled = torch.compile(pool, fullgraph=True, backend="aot_eager")
    for places in ((7, 5), (8, 8)):
        assert_same_gradients(compiled, pool, torch.randn(3, 6, *places).double().requires_grad_())


def assert_same_gradients(compiled: Any, made: Any, x: Tensor, *more: Tensor) -> None:
    found, wanted = compiled(x, *more), made(x, *more)
    torch.testing.assert_close(found, wanted)
    direction, held = torch.randn_like(wanted), [x, *made.parameters()]
    pairs = zip(
        torch.autograd.grad((found * direction).sum(), held),
        torch.autograd.grad((wanted * direction).sum(), held),
        strict=True,
    )
    for one, other in pairs:
        torch.testing.assert_close(one, other)


@every
def test_a_block_is_exported_for_maps_of_any_size(example: Example) -> None:
    made, x = after_steps(example.make(), example.maps()).eval(), example.maps()
    sizes = {0: torch.export.Dim.DYNAMIC} | {i: torch.export.Dim.DYNAMIC for i in range(2, x.ndim)}
    exported = torch.export.export(made, (x,), dynamic_shapes=(sizes,), strict=False).module()
    for places in [places for places in example.sizes() if len(places) == x.ndim - 2][2:]:
        for batch in (2, 5):
            other = example.maps(places, batch)
            torch.testing.assert_close(exported(other), made(other))


def test_the_gate_of_a_skip_and_covariance_pooling_are_exported_for_any_size() -> None:
    x, g = torch.randn(3, 6, 12, 10), torch.randn(3, 10, 6, 5)
    any_size = dict.fromkeys((0, 2, 3), torch.export.Dim.DYNAMIC)
    for made, inputs, others in (
        (AttentionGate(6, 10), (x, g), (torch.randn(2, 6, 9, 7), torch.randn(2, 10, 4, 8))),
        (CovariancePooling(6), (x,), (torch.randn(2, 6, 4, 3),)),
    ):
        shapes = tuple(any_size for _ in inputs)
        exported = torch.export.export(made, inputs, dynamic_shapes=shapes, strict=False).module()
        torch.testing.assert_close(exported(*others), made(*others))

"""Vision blocks compile as one graph, and are exported for maps of any size."""

import pytest
import torch

from tests.tables.blocks import Example, after_steps, every


@every
@pytest.mark.parametrize("training", [False, True])
def test_a_block_compiles_as_one_graph(example: Example, training: bool) -> None:
    made = after_steps(example.make(), example.maps()).train(training)
    compiled = torch.compile(made, fullgraph=True, backend="aot_eager")
    for places in example.sizes()[:1] + example.sizes()[2:3]:
        x = example.maps(places).requires_grad_()
        torch.testing.assert_close(compiled(x), made(x))
        r = torch.randn_like(x)
        held = [x, *made.parameters()]
        found = torch.autograd.grad((compiled(x) * r).sum(), held)
        wanted = torch.autograd.grad((made(x) * r).sum(), held)
        for one, other in zip(found, wanted, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


@every
def test_a_block_is_exported_for_maps_of_any_size(example: Example) -> None:
    made, x = after_steps(example.make(), example.maps()).eval(), example.maps()
    sizes = {0: torch.export.Dim.DYNAMIC} | {i: torch.export.Dim.DYNAMIC for i in range(2, x.ndim)}
    exported = torch.export.export(made, (x,), dynamic_shapes=(sizes,), strict=False).module()
    for places in [places for places in example.sizes() if len(places) == x.ndim - 2][2:]:
        for batch in (2, 5):
            other = example.maps(places, batch)
            torch.testing.assert_close(exported(other), made(other))

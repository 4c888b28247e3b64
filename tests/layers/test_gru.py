"""The GRU with its written-out gradient is the GRU of the paper."""

import pytest
import torch
from torch import Tensor

from regard.layers.gru import gru


def inputs(cells: int = 2, steps: int = 4, rows: int = 3, width: int = 5) -> list[Tensor]:
    shapes = [
        (cells, steps, rows, 2 * width),
        (cells, steps, rows, width),
        (cells, rows, width),
        (cells, width, 2 * width),
        (cells, width, width),
    ]
    return [torch.randn(shape, dtype=torch.float64).requires_grad_() for shape in shapes]


def by_the_book(gates, candidates, state, gate_weight, candidate_weight, keep=None):
    width, states = state.shape[-1], []
    for step in range(candidates.shape[1]):
        rz = torch.sigmoid(gates[:, step] + state @ gate_weight)
        r, z = rz[..., :width], rz[..., width:]
        if keep is not None:
            z = z * keep[:, step]
        c = torch.tanh(candidates[:, step] + (r * state) @ candidate_weight)
        state = (1 - z) * state + z * c
        states.append(state)
    return torch.stack(states, dim=1)


@pytest.mark.parametrize("steps", [1, 4])
@pytest.mark.parametrize("masked", [False, True])
def test_states_and_every_gradient_are_those_of_the_plain_loop(steps: int, masked: bool) -> None:
    parts = inputs(steps=steps)
    keep = (torch.rand(2, steps, 3, 1) < 0.6).double() if masked else None
    out, wanted = gru(*parts, keep), by_the_book(*parts, keep)
    weight = torch.randn_like(out)
    torch.testing.assert_close(out, wanted, rtol=0, atol=1e-12)
    found = torch.autograd.grad((out * weight).sum(), parts)
    expected = torch.autograd.grad((wanted * weight).sum(), parts)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)


def test_the_written_gradient_passes_gradcheck() -> None:
    assert torch.autograd.gradcheck(gru, inputs(cells=1, steps=3, rows=2, width=2))


def test_a_step_that_is_not_kept_does_not_exist() -> None:
    gates, candidates, *rest = (part.detach() for part in inputs(cells=1, steps=4))
    keep = torch.tensor([1.0, 0.0, 1.0, 0.0], dtype=torch.float64).reshape(1, 4, 1, 1)
    keep = keep.expand(1, 4, 3, 1)
    whole = gru(gates, candidates, *rest, keep)
    short = gru(gates[:, ::2].contiguous(), candidates[:, ::2].contiguous(), *rest)
    torch.testing.assert_close(whole[:, 2], short[:, 1])
    torch.testing.assert_close(whole[:, 3], whole[:, 2])


def test_cells_and_rows_do_not_see_each_other() -> None:
    gates, candidates, state, *weights = (part.detach() for part in inputs())
    whole = gru(gates, candidates, state, *weights)
    cut = (slice(1, 2), slice(None), slice(2, 3))
    alone = gru(gates[cut], candidates[cut], state[1:2, 2:3], *(w[1:2] for w in weights))
    torch.testing.assert_close(whole[cut], alone)


def test_inputs_are_not_modified() -> None:
    parts = [part.detach() for part in inputs()]
    before = [part.clone() for part in parts]
    gru(*parts)
    assert all(torch.equal(a, b) for a, b in zip(parts, before, strict=True))

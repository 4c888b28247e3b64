"""A capture changes nothing: not outside of its block, its thread, or its numbers."""

import copy
import gc
import io
import pickle
import threading
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.checkpoint import checkpoint

import regard
from regard._backends import _tap
from regard.errors import UsageError

X = torch.randn(2, 4, 5, 8, generator=torch.Generator().manual_seed(0))


def attend(x: Tensor = X) -> Tensor:
    return F.scaled_dot_product_attention(x, x, x)


class Block(nn.Module):
    """A projection, attention, dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.drop = nn.Linear(8, 8), nn.Dropout(0.2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.inner(x)
        return self.drop(F.scaled_dot_product_attention(x, x, x, dropout_p=0.3))


def state() -> list[Any]:
    """All that a capture turns on."""
    modules = torch.nn.modules.module
    return [
        torch.overrides.has_torch_function,
        torch.overrides._get_current_function_mode_stack(),
        _tap.listener,
        dict(modules._global_forward_hooks),
        dict(modules._global_forward_pre_hooks),
        dict(modules._global_forward_hooks_always_called),
        torch._dynamo.eval_frame._stance.stance if hasattr(torch, "_dynamo") else None,
    ]


def test_everything_is_as_before_after_an_exception() -> None:
    before = state()
    with pytest.raises(ZeroDivisionError), regard.capture() as maps:
        attend()
        with regard.capture():
            raise ZeroDivisionError
    assert state() == before
    assert len(maps) == 1
    with regard.capture() as maps:
        attend()
    assert len(maps) == 1 and state() == before


def test_an_exception_that_the_network_catches_leaves_names_right() -> None:
    class Tries(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fails, self.works = Fails(), Block()

        def forward(self, x: Tensor) -> Tensor:
            try:
                return self.fails(x)
            except ZeroDivisionError:
                return self.works(x)

    class Fails(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = Block()

        def forward(self, x: Tensor) -> Tensor:
            self.inner(x)
            raise ZeroDivisionError

    with regard.capture() as maps:
        Tries()(X)
    assert maps.names == ["fails.inner", "works"]


def test_an_inner_capture_has_its_own_and_the_outer_one_all() -> None:
    again = regard.capture()
    with again as outer:
        attend()
        with again as inner:
            attend()
        attend()
    assert (len(outer), len(inner)) == (3, 1)


def test_only_the_thread_that_entered_is_seen() -> None:
    inside, go = threading.Event(), threading.Event()
    found: list[Any] = []

    def other() -> None:
        go.wait()
        found.append(attend())
        with regard.capture() as own:
            attend()
            attend()
        found.append(len(own))
        inside.set()

    thread = threading.Thread(target=other)
    thread.start()
    with regard.capture() as maps:
        go.set()
        inside.wait()
        attend()
    thread.join()
    assert len(maps) == 1 and found[1] == 2
    assert torch.equal(found[0], attend())


def test_training_goes_on_as_it_was() -> None:
    torch.manual_seed(0)
    block = Block()
    grads = []
    for how in (None, regard.capture(), regard.capture(gradients=True), regard.capture(rows=0)):
        model = copy.deepcopy(block)
        torch.manual_seed(1)
        x = X.clone().requires_grad_()
        if how is None:
            model(x).sum().backward()
        else:
            with how as maps:
                model(x).sum().backward()
            assert len(maps) == 1
        grads.append([x.grad, *(each.grad for each in model.parameters()), torch.rand(3)])
    for other in grads[1:]:
        assert all(torch.equal(a, b) for a, b in zip(grads[0], other, strict=True))


@pytest.mark.parametrize("reentrant", [True, False])
def test_what_is_recomputed_is_not_seen_twice(reentrant: bool) -> None:
    block = Block()
    x = X.clone().requires_grad_()
    with regard.capture(block) as maps:
        checkpoint(block, x, use_reentrant=reentrant).sum().backward()
    assert len(maps) == 1
    assert maps[0].weights().shape == (2, 4, 5, 5)


def test_under_autocast_the_weights_are_those_of_what_the_kernel_was_given() -> None:
    layer = nn.MultiheadAttention(8, 2, batch_first=True)
    x = torch.randn(2, 5, 8)
    with torch.autocast("cpu", torch.bfloat16):
        plain, plain_layer = attend(), layer(x, x, x, need_weights=False)[0]
        with regard.capture() as maps:
            assert torch.equal(attend(), plain)
            assert torch.equal(layer(x, x, x, need_weights=False)[0], plain_layer)
            regard.attention(X, X, X)
        reads = [each.weights() for each in maps]
    exact = X.bfloat16().float()
    wanted = (exact @ exact.mT * 8**-0.5).softmax(-1)
    torch.testing.assert_close(reads[0], wanted, atol=1e-6, rtol=0.0)
    torch.testing.assert_close(reads[2], wanted, atol=1e-6, rtol=0.0)
    assert torch.equal(maps[1].weights(), reads[1])
    assert all(each.dtype == torch.float32 for each in reads)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_without_gradients_too(mode: Any) -> None:
    with mode():
        plain = attend()
        with regard.capture() as maps:
            assert torch.equal(attend(), plain)
        inside = maps[0].weights()
    assert torch.equal(maps[0].weights(), inside)


def test_transforms_run_as_ever_and_are_not_shown() -> None:
    plain = torch.func.vmap(attend)(X)
    slope = torch.func.grad(lambda x: attend(x).sum())(X)
    with regard.capture() as maps:
        assert torch.equal(torch.func.vmap(attend)(X), plain)
        assert torch.equal(torch.func.grad(lambda x: attend(x).sum())(X), slope)
        attend()
    assert len(maps) == 1


def test_reading_inside_the_block_is_not_seen() -> None:
    with regard.capture() as maps:
        (X @ X.mT).softmax(-1) @ X
        attend()
        first = maps[0].weights()
        second = maps[1].weights()
    assert len(maps) == 2
    torch.testing.assert_close(second.sum(-1), first.sum(-1))


def test_our_operator_is_told_once_whatever_backend_runs() -> None:
    for backend in ("reference", "chunked", "sdpa", None):
        with regard.capture() as maps:
            regard.attention(X, X, X, backend=backend)
        assert len(maps) == 1


def test_another_mode_still_switches_the_fast_path_off() -> None:
    seen = []

    class Mode(TorchFunctionMode):
        def __torch_function__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            seen.append(getattr(func, "__name__", ""))
            return func(*args, **(kwargs or {}))

    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval()
    x = torch.randn(2, 3, 8)
    for first, second in ((Mode(), regard.capture()), (regard.capture(), Mode())):
        seen.clear()
        with torch.no_grad(), first, second:
            layer(x)
        assert "_transformer_encoder_layer_fwd" not in seen and "linear" in seen


class Probe:
    """Lives as long as the graph node that it hangs on."""


def test_maps_keep_no_module_and_no_graph_alive() -> None:
    block = Block()
    x = X.clone().requires_grad_()
    with regard.capture(block) as maps:
        out = block(x)
    probe = Probe()
    out.grad_fn.metadata["probe"] = probe
    graph, module = weakref.ref(probe), weakref.ref(block)
    del out, block, probe
    gc.collect()
    assert graph() is None and module() is None
    assert maps[0].name == "Block"


def test_models_are_copied_and_pickled_inside() -> None:
    layer = nn.MultiheadAttention(8, 2, batch_first=True)
    with regard.capture():
        copied = copy.deepcopy(layer)
        pickle.loads(pickle.dumps(layer))
        torch.save(layer.state_dict(), io.BytesIO())
    x = torch.randn(1, 3, 8)
    assert torch.equal(copied(x, x, x)[0], layer(x, x, x)[0])


def test_a_cache_that_is_written_in_place_is_copied() -> None:
    cache = torch.zeros(1, 2, 6, 4)
    queries = torch.randn(1, 2, 6, 4)
    hidden = torch.ones(6, 6).tril().bool()
    wanted = []
    with regard.capture() as maps:
        for step in range(0, 6, 2):
            cache[:, :, step : step + 2] = torch.randn(1, 2, 2, 4)
            q, mask = queries[:, :, step : step + 2], hidden[step : step + 2]
            F.scaled_dot_product_attention(q, cache, cache, mask)
            scores = (q @ cache.mT / 2).masked_fill(~mask, -torch.inf)
            wanted.append(scores.softmax(-1))
    for each, weights in zip(maps, wanted, strict=True):
        torch.testing.assert_close(each.weights(), weights, atol=1e-6, rtol=0.0)


def test_what_was_changed_since_is_an_error_and_no_wrong_number() -> None:
    x = X.clone()
    with regard.capture() as maps:
        attend(x)
    maps[0].weights()
    x.mul_(2)
    with pytest.raises(UsageError, match="changed in place after the call"):
        maps[0].weights()
    layer = nn.MultiheadAttention(8, 2, batch_first=True)
    y = torch.randn(2, 5, 8)
    with regard.capture(layer) as maps:
        layer(y, y, y)[0].sum().backward()
    torch.optim.SGD(layer.parameters(), 0.1).step()
    with pytest.raises(UsageError, match="before the optimizer"):
        maps[0].weights()


def test_memory_is_counted_once_and_limited() -> None:
    fused = torch.randn(1, 4, 300, 24)
    q, k, v = fused.chunk(3, -1)
    with regard.capture() as maps:
        F.scaled_dot_product_attention(q, k, v)
        F.scaled_dot_product_attention(q, k, v)
    assert maps.bytes == fused.numel() * 4
    with regard.capture(rows=[0, 1]) as maps:
        F.scaled_dot_product_attention(q, k, v)
    assert maps.bytes == 4 * 2 * 300 * 4
    with pytest.raises(UsageError, match="max_bytes is 20,000") as error:
        with regard.capture(max_bytes=20_000):
            F.scaled_dot_product_attention(q, k, v)
    assert "spill=" in str(error.value) and "115,200" in str(error.value)


def test_what_does_not_fit_goes_to_a_folder_and_the_folder_goes_with_the_maps(
    tmp_path: Path,
) -> None:
    with regard.capture() as whole:
        wanted = [attend(x) for x in (X, X + 1)]
    with regard.capture(max_bytes=0, spill=tmp_path) as maps:
        assert all(torch.equal(attend(x), y) for x, y in zip((X, X + 1), wanted, strict=True))
    assert maps.bytes == 0 and maps.spilled_bytes > 0
    assert len(list(tmp_path.rglob("*.safetensors"))) == 2
    for one, other in zip(maps, whole, strict=True):
        assert torch.equal(one.weights(), other.weights())
    del maps, one
    gc.collect()
    assert not list(tmp_path.iterdir())


def test_compiled_code_runs_as_it_was_written() -> None:
    runs = torch.compile(attend, backend="eager")
    plain = runs(X)
    with regard.capture() as maps:
        assert torch.equal(runs(X), plain)
    assert len(maps) == 1
    assert torch.equal(runs(X), plain)


def test_data_parallel_on_one_device_is_seen() -> None:
    block = nn.DataParallel(Block())
    with regard.capture() as maps:
        block(X)
    assert maps.names == ["module"]

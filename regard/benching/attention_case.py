"""An attention at one size, made of the names of its parts."""

from collections.abc import Iterator
from copy import deepcopy
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from regard._attention import attention, plan
from regard._backends._cost import NORMALIZE_FLOPS, pair_width
from regard._backends._explain import Plan
from regard._backends._held import tensors_of
from regard.benching.case import Pass, Rival, Run, Work, gradients
from regard.benching.judging import Judged, errors, spread
from regard.benching.mechanism import Mechanism
from regard.benching.sizes import Sizes
from regard.masks import Causal
from regard.normalizers import softmax
from regard.parts import Dims, part
from regard.scores import ScaledDot

SAMPLED_ROWS = 256
"""Queries whose permitted keys are counted; the rest follow by their share."""
PAIR_FLOPS = 4
"""Of each number that a score computes for a pair: a sum, a function of it, a product, a sum."""


def passes(mechanism: Mechanism, sizes: Sizes, length: int, backward: bool) -> Iterator[Pass]:
    """The passes to time of an attention over so many keys.

    Raises `ValueError` and `UnsupportedByBackend` for parts that do not fit the sizes.
    """
    case = _Case(mechanism, sizes, length)
    for with_gradients in (False, True) if backward else (False,):
        yield case.timed(with_gradients)


class _Case:
    """The tensors and parts of one call, drawn from N(0, 1) by the length alone."""

    def __init__(self, mechanism: Mechanism, sizes: Sizes, length: int) -> None:
        self.mechanism, self.dtype = mechanism, sizes.torch_dtype
        generator = torch.Generator().manual_seed(length)
        dtype, device = sizes.torch_dtype, torch.device(sizes.device)
        heads, kv_heads = sizes.heads, sizes.kv_heads or sizes.heads
        q_len = sizes.queries or length
        shapes = [(heads, q_len), (kv_heads, length), (kv_heads, length), (heads, q_len)]
        self.query, self.key, self.value, self.upstream = (
            torch.randn(sizes.batch, *shape, sizes.width, generator=generator).to(device, dtype)
            for shape in shapes
        )
        dims = Dims(sizes.width, sizes.width, sizes.width, heads, num_keys=length)
        names = ("score", "score_mod", "mask", "normalizer")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(length)
            given = {role: getattr(mechanism, role) for role in names}
            made = {role: part(role, name, dims) for role, name in given.items() if name}
        self.parts = {role: moved(one, device, dtype) for role, one in made.items()}
        self.plan: Plan = self._planned(backward=False)

    def timed(self, backward: bool) -> Pass:
        """What is to be known of a pass before it is run."""
        run = self._trained if backward else self._ran
        planned, more = self._planned(backward), 3 if backward else 1
        attend = partial(attention, **self.parts, backend=self.mechanism.backend)
        seconds, name, theirs = planned.seconds, *self._rival()
        costs = planned.costs.get(name.lower())
        return Pass(
            backward=backward,
            backend=planned.backend,
            run=run(attend),
            work=self._work(backward),
            rival=Rival(
                name,
                run(theirs),
                costs.peak_bytes * more if costs else 0,
                seconds[name.lower()] * more if name.lower() in seconds else None,
            ),
            judge=None if self.mechanism.is_random else lambda: errors(self, backward),
            needed=planned.peak_bytes * more,
            predicted=seconds[planned.backend] * more if seconds else None,
        )

    def rows(self, most_numbers: int, most_rows: int) -> list[slice]:
        """Rows whose scores, and what is held for each pair, are no more than so many numbers."""
        call = self.plan.call
        row = call.query.shape[0] * call.query.shape[1] * call.k_len * pair_width(call)
        return spread(call.q_len, min(most_rows, most_numbers // max(1, row)))

    def judged(self, rows: list[slice], dtype: torch.dtype | None, gradient: bool) -> Judged:
        """The output of these rows and its gradients; by the definition if there is a dtype."""
        tensors, parts = [self.query, self.key, self.value], self.parts
        if dtype is not None:
            tensors = [tensor.to(dtype) for tensor in tensors]
            parts = {role: moved(deepcopy(one), None, dtype) for role, one in parts.items()}
        tensors = [tensor.detach().requires_grad_(gradient) for tensor in tensors]
        with torch.set_grad_enabled(gradient):
            output = self._some_rows(rows, tensors, parts, by_definition=dtype is not None)
        upstream = torch.cat([self.upstream[:, :, each] for each in rows], 2).to(output.dtype)
        wanted = [*tensors, *learned(parts)]
        found = gradients(output, wanted, upstream) if gradient else ()
        return Judged(output.detach(), tuple(found))

    def _some_rows(
        self, rows: list[slice], tensors: list[Tensor], parts: dict[str, Any], by_definition: bool
    ) -> Tensor:
        query, key, value = tensors
        if not by_definition:
            whole = attention(query, key, value, **parts, backend=self.mechanism.backend)
            return torch.cat([whole[:, :, each] for each in rows], 2)
        first = key.shape[2] - query.shape[2]
        attend: Any = partial(attention, **parts, backend="reference")
        found = [
            attend(query[:, :, each], key, value, q_offset=first + each.start) for each in rows
        ]
        return torch.cat(found, 2)

    def _planned(self, backward: bool) -> Plan:
        tensors = [x.detach().requires_grad_(backward) for x in (self.query, self.key, self.value)]
        with torch.set_grad_enabled(backward):
            return plan(*tensors, **self.parts, backend=self.mechanism.backend)

    def _ran(self, attend: Any) -> Run:
        def run() -> Tensor:
            with torch.no_grad():
                found: Tensor = attend(self.query, self.key, self.value)
                return found

        return run

    def _trained(self, attend: Any) -> Run:
        tensors = [x.detach().requires_grad_() for x in (self.query, self.key, self.value)]
        wanted = [*tensors, *learned(self.parts)]

        def run() -> object:
            output = attend(*tensors)
            return gradients(output, wanted, self.upstream.to(output.dtype))

        return run

    def _rival(self) -> tuple[str, Any]:
        """PyTorch's kernel where it computes the same, else the definition."""
        call = self.plan.call
        plain = type(call.score) is ScaledDot and call.score.scale is None
        if plain and call.normalizer is softmax and call.score_mod is None:
            return self._sdpa(call.mask)
        return "reference", partial(attention, **self.parts, backend="reference")

    def _sdpa(self, mask: Any) -> tuple[str, Any]:
        call = self.plan.call
        kernel = partial(scaled_dot_product_attention, enable_gqa=call.groups > 1)
        if type(mask) is Causal and call.q_len == call.k_len:
            return "SDPA", partial(kernel, is_causal=True)
        dense = None
        if mask is not None:
            dense = call.permitted(*call.indices)
            dense = dense.expand(*dense.shape[:2], call.q_len, call.k_len).contiguous()
        return "SDPA", partial(kernel, attn_mask=dense)

    def _work(self, backward: bool) -> Work:
        """Of permitted pairs alone; a backward pass has four products where forward has two."""
        call = self.plan.call
        heads = call.query.shape[0] * call.query.shape[1]
        pairs = heads * call.q_len * call.k_len * permitted_share(call)
        wide = pair_width(call)
        score = PAIR_FLOPS * wide if wide > 1 else 2 * call.query.shape[-1]
        products = pairs * (score + 2 * call.value.shape[-1])
        tensors = [call.query, call.key, call.value, self.upstream]
        moved_bytes = sum(x.numel() * x.element_size() for x in tensors)
        flops = products * (3 if backward else 1) + pairs * NORMALIZE_FLOPS
        return Work(flops, moved_bytes * (3 if backward else 1))


def permitted_share(call: Any) -> float:
    """The share of all pairs that the mask permits, as some evenly spaced queries have it."""
    if call.mask is None:
        return 1.0
    b, h, q, k = call.indices
    q = q[:, :, :: max(1, call.q_len // SAMPLED_ROWS)]
    permitted = call.permitted(b, h, q, k)
    return float(permitted.expand(*permitted.shape[:2], q.shape[2], call.k_len).float().mean())


def learned(parts: dict[str, Any]) -> list[Tensor]:
    """The tensors of parts that are trained."""
    return [x for one in parts.values() for x in tensors_of(one) if x.requires_grad]


def moved(one: Any, device: torch.device | None, dtype: torch.dtype) -> Any:
    """A part with its weights on a device and in a dtype; one without any as it is."""
    return one.to(device=device, dtype=dtype) if isinstance(one, nn.Module) else one

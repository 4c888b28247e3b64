"""Four processes that attend together, and what one process says of the same: run by the test.

Two of them and then all four run every case in float64; each rank writes what differs. The
processes are forks, so that PyTorch is imported once.
"""

import json
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

import regard
from regard._backends._held import tensors_of
from regard.context import exchange, layout, shard, unshard, zig_zag
from regard.masks import Causal, Dense, Document, Padding, SlidingWindow
from regard.normalizers import Softmax, sparsemax
from regard.score_mods import ALiBi, RelativeBias
from regard.scores import Additive, Bilinear, Cosine, Location
from tests.forked import import_all
from tests.parts import MASKS, MODS, SCORES, Sizes, mask_and_rule, mod_and_rule, tensors
from tests.patience import PATIENCE
from tests.tolerance import assert_close_to_golden

WORLD = 4
SIZES = Sizes(2, 4, 2, 5, 7, 3, 4)
LONG = Sizes(2, 4, 2, 37, 37, 3, 4)
LENGTHS = {2: {5: (3, 2), 7: (4, 3), 37: (20, 17)},
           4: {5: (2, 0, 2, 1), 7: (3, 1, 0, 3), 37: (12, 0, 20, 5)}}  # fmt: skip
"""How many places each rank of so many has: not alike, and one of four has none."""
POSITIONAL = ("ConcatLinear", "Location")

Parts = dict[str, Any]


class Group:
    """Some of the processes, one of which this is."""

    def __init__(self, group: Any) -> None:
        self.group, self.rank = group, dist.get_rank(group)
        self.world = dist.get_world_size(group)

    def cut(self, tensor: Tensor, spans: Any = None) -> Tensor:
        """This rank's own places, as a leaf."""
        if spans is None:
            lengths = LENGTHS[self.world][tensor.shape[2]]
            spans = [(sum(lengths[: self.rank]), lengths[self.rank])]
        return shard(tensor, spans).detach().clone().requires_grad_()

    def places(self, length: int) -> slice:
        lengths = LENGTHS[self.world][length]
        start = sum(lengths[: self.rank])
        return slice(start, start + lengths[self.rank])


def learned(parts: Parts) -> list[Tensor]:
    return [x for part in parts.values() for x in tensors_of(part) if x.requires_grad]


def compare(group: Group, sizes: Sizes, parts: Parts, spans: Any = None) -> None:
    """Output and every gradient are those of one process."""
    query, key, value = (x.requires_grad_() for x in tensors(sizes))
    wanted = regard.attention(query, key, value, **parts)
    upstream = torch.randn_like(wanted)
    inside = [query, key, value, *learned(parts)]
    golden = torch.autograd.grad(wanted, inside, upstream, allow_unused=True)

    own = [group.cut(x, spans) for x in (query, key, value)]
    found = regard.context_parallel(*own, group=group.group, spans=spans, **parts)
    mine = [*own, *learned(parts)]
    grown = torch.autograd.grad(found, mine, group.cut(upstream, spans), allow_unused=True)
    near(found, group.cut(wanted, spans), "output")
    for n, name in enumerate(("query", "key", "value")):
        near(grown[n], group.cut(golden[n], spans), f"gradient of {name}")
    for ours, theirs in zip(grown[3:], golden[3:], strict=True):
        if theirs is not None:
            total = torch.zeros_like(theirs) if ours is None else ours.clone()
            dist.all_reduce(total, group=group.group)
            near(total, theirs, "gradient of a part")


def near(ours: Tensor | None, theirs: Tensor, what: str) -> None:
    assert ours is not None, what
    torch.testing.assert_close(
        ours, theirs, rtol=1e-9, atol=1e-10, equal_nan=True, msg=lambda text: f"{what}: {text}"
    )


def tables() -> Iterator[tuple[str, Callable[[Group], None]]]:
    """Every part there is, with lengths that differ and a rank without keys."""
    offset = SIZES.k_len - SIZES.q_len
    for name in SCORES:
        if not name.startswith(POSITIONAL):
            yield f"score {name}", lambda g, name=name: compare(
                g, SIZES, {"score": SCORES[name](SIZES)[0]}
            )  # fmt: skip
    for role, table, made in (("mask", MASKS, mask_and_rule), ("score_mod", MODS, mod_and_rule)):
        for name in table:
            yield f"{role} {name}", lambda g, name=name, role=role, made=made: compare(
                g, SIZES, {role: made(name, SIZES, offset)[0]}
            )  # fmt: skip


def zig_zagged(parts: Parts) -> Callable[[Group], None]:
    return lambda g: compare(g, LONG, parts, zig_zag(LONG.k_len, g.rank, g.world))


def striped(group: Group) -> None:
    ends = [0, 3, 7, 8, 15, 15, 20, 26, 37]
    runs = [(a, b - a) for a, b in pairwise(ends)]
    mask = Causal() & SlidingWindow(9)
    compare(group, LONG, {"mask": mask, "score_mod": ALiBi(4)}, runs[group.rank :: group.world])


def documents() -> Parts:
    ids = torch.arange(37) // 6
    return {"mask": Document(ids) & Causal(), "score_mod": ALiBi(4)}


def one_rank_has_everything(group: Group) -> None:
    whole = [x.requires_grad_() for x in tensors(SIZES)]
    wanted = regard.attention(*whole, mask=Causal())
    golden = torch.autograd.grad(wanted.sum(), whole)
    own = [x if group.rank == 1 else x.detach()[:, :, :0].requires_grad_() for x in whole]
    found = regard.context_parallel(*own, group=group.group, mask=Causal())
    grown = torch.autograd.grad(found.sum(), own)
    for ours, theirs in zip((found, *grown), (wanted, *golden), strict=True):
        near(ours, theirs if group.rank == 1 else theirs[:, :, :0], "what one rank has")


def nobody_has_anything(group: Group) -> None:
    empty = torch.zeros(1, 2, 0, 4, requires_grad=True)
    assert regard.context_parallel(empty, empty, empty, group=group.group).shape == empty.shape


def offset(group: Group) -> None:
    """Queries that stand in the middle of the keys, as a chunk of a prefill does."""
    query, key, value = tensors(SIZES)
    parts = {"mask": Causal() & SlidingWindow(3), "q_offset": 1}
    wanted = regard.attention(query, key, value, **parts)
    own = [group.cut(x) for x in (query, key, value)]
    near(regard.context_parallel(*own, group=group.group, **parts), group.cut(wanted), "output")


def garbage(group: Group) -> None:
    """What padding hides never comes out, and what it does not hide reaches whom it may."""
    query, key, value = tensors(LONG)
    lengths = torch.tensor([30, 0])
    wanted = regard.attention(query, key, value, mask=Padding(lengths))
    key[0, :, 30:], value[0, :, 30:] = torch.nan, torch.inf
    key[1], value[1] = 1e308, torch.nan
    own = [group.cut(x) for x in (query, key, value)]
    found = regard.context_parallel(*own, group=group.group, mask=Padding(lengths))
    near(found, group.cut(wanted), "output")
    upstream = torch.ones_like(found)
    upstream[1] = torch.nan
    for grown in torch.autograd.grad(found, own, upstream):
        assert grown.isfinite().all() and not grown[1].any()
    found = regard.context_parallel(*own, group=group.group, mask=Causal())
    seen = [place >= 30 for place in range(37)][group.places(37)]
    assert found[0, 0, :, 0].isnan().tolist() == seen


def temperature(group: Group) -> None:
    tau = torch.nn.Parameter(torch.tensor(0.7, dtype=torch.float64))
    compare(group, LONG, {"normalizer": Softmax(tau), "mask": Causal()})


def dense(group: Group) -> None:
    """A mask of the whole sequence, the same on every rank."""
    compare(group, LONG, {"mask": torch.rand(2, 1, 37, 37) < 0.4})


def rounded(group: Group) -> None:
    """Half precision goes out, float32 stays in between."""
    for dtype in (torch.bfloat16, torch.float16, torch.float32):
        drawn = [x.to(dtype) for x in tensors(LONG, dtype=torch.float32)]
        sides, upstream = [], torch.randn(*drawn[0].shape[:3], LONG.value_dim).to(dtype)
        for to, backend in ((torch.float64, "reference"), (dtype, "reference")):
            given = [x.to(to).requires_grad_() for x in drawn]
            output = regard.attention(*given, mask=Causal(), backend=backend)
            sides.append((output, *torch.autograd.grad(output, given, upstream.to(to))))
        own = [group.cut(x) for x in drawn]
        output = regard.context_parallel(*own, group=group.group, mask=Causal())
        sides.append((output, *torch.autograd.grad(output, own, group.cut(upstream))))
        for n, (golden, naive, actual) in enumerate(zip(*sides, strict=True)):
            if actual.numel():
                assert_close_to_golden(
                    actual, group.cut(golden).detach(), group.cut(naive).detach(),
                    what=f"{dtype} {n}", gradient=n > 0,
                )  # fmt: skip


def only_borders_travel(group: Group) -> None:
    """Of a window the neighbours' keys in reach, of a causal mask none of later ranks."""
    if group.world != 4:
        return
    x = torch.randn(1, 2, 10, 4)
    sent: list[int] = []
    before = exchange.Exchange.swap

    def counted(self: Any, to: int, out: Tensor, source: int, count: int) -> Any:
        sent.append(out.shape[2])
        return before(self, to, out, source, count)

    exchange.Exchange.swap = counted  # type: ignore[method-assign]
    try:
        for mask, wanted in (
            (SlidingWindow(3), [3, 3, 3, 0]), (SlidingWindow(3, 2), [3, 5, 5, 2]),
            (SlidingWindow(12), [12, 12, 10, 0]), (Causal(), [30, 20, 10, 0]),
            (None, [30, 30, 30, 30]),
        ):  # fmt: skip
            sent.clear()
            regard.context_parallel(x, x, x, group=group.group, mask=mask)
            assert sum(sent) == wanted[group.rank], (mask, sent)
    finally:
        exchange.Exchange.swap = before  # type: ignore[method-assign]


def gradients_that_nobody_wants(group: Group) -> None:
    query, key, value = (group.cut(x) for x in tensors(SIZES))
    output = regard.context_parallel(query, key.detach(), value.detach(), group=group.group)
    assert torch.autograd.grad(output.sum(), query)[0].isfinite().all()
    with torch.no_grad():
        assert not regard.context_parallel(query, key, value, group=group.group).requires_grad


def joined(group: Group) -> None:
    whole = torch.randn(2, 3, 11, 4)
    spans = zig_zag(11, group.rank, group.world)
    assert torch.equal(unshard(shard(whole, spans), spans, 11, group=group.group), whole)


def twice(group: Group) -> None:
    own = [group.cut(x) for x in tensors(SIZES)]
    output = regard.context_parallel(*own, group=group.group)
    raises(lambda: torch.autograd.grad(output.sum(), own[0], create_graph=True),
           "has no further derivative", RuntimeError)  # fmt: skip


def changed(group: Group) -> None:
    own, mod = [group.cut(x) for x in tensors(SIZES)], RelativeBias(4).double()
    output = regard.context_parallel(*own, group=group.group, score_mod=mod)
    with torch.no_grad():
        mod.weight.add_(1.0)
    raises(lambda: output.sum().backward(), "modified by an inplace operation", RuntimeError)


def raises(call: Callable[[], Any], said: str, kind: Any = ValueError) -> None:
    """One sentence on this rank, as on all others."""
    try:
        call()
    except kind as error:
        assert said in str(error), str(error)
        assert kind is RuntimeError or str(error).count("\n") == 0
        return
    raise AssertionError(f"nothing was raised where {said!r} should be said")


def mistakes(group: Group) -> None:
    """Whatever one rank does wrong, all of them say, and go on."""
    last = group.rank == group.world - 1
    x = torch.randn(1, 4, 6, 8)

    def call(query: Any = x, key: Any = x, value: Any = x, **more: Any) -> Any:
        return regard.context_parallel(query, key, value, group=group.group, **more)

    there = "whole number" if last else "cannot take part"
    for odd in (3, "ab", [(0, -1)], [(0, 6.0)], [(0, 6, 1)], [(0, 1)] * 17):
        raises(lambda odd=odd: call(spans=odd if last else [(0, 6)]), there)
    for odd in ("3", torch.tensor([3]), 2.5):
        said = "q_offset" if last else "cannot take part"
        raises(lambda odd=odd: call(q_offset=odd if last else 3), said, (TypeError, ValueError))
    narrow = x[..., :4] if last else x
    raises(lambda: call(narrow, narrow), "disagree on head_dim: rank 0 has 8 but rank")
    raises(lambda: call(*3 * [x[:, :2] if last else x]), "disagree on heads: rank 0 has 4")
    raises(lambda: call(*3 * [x.double() if last else x]), "disagree on dtype: rank 0 has torch.f")
    wants = x.clone().requires_grad_()
    raises(lambda: call(wants if last else x), "disagree on requires_grad: rank 0 has nothing")
    raises(lambda: call(q_offset=3 if last else None), "disagree on q_offset: rank 0 has None")
    raises(lambda: call(spans=[(0, 6)] if last else None), "disagree on spans: rank 0 has none")
    raises(lambda: call(spans=[(0, 6)]), "taken twice, the second time by rank 1")
    raises(lambda: call(spans=[(12 * group.rank, 6)]), "places 6 to 11 are nobody's")
    raises(lambda: call(spans=[(6 * group.rank, 5)]), "spans have 5 places but query has q_len 6")
    there = "query must be a torch.Tensor" if last else "cannot take part in this call"
    raises(lambda: call("x" if last else x), there, TypeError if last else ValueError)
    there = "key has k_len 5 but value has k_len 6" if last else "cannot take part"
    raises(lambda: call(key=x[:, :, :5] if last else x), there)
    mask = SlidingWindow(2) if last else SlidingWindow(3)
    raises(
        lambda: call(mask=mask), "disagree on how far the mask reaches: rank 0 has (3 back, 0 ah"
    )
    there = "built for a query of width 4" if last else "cannot take part"
    raises(lambda: call(score=Additive(4, 4, 4).requires_grad_(False) if last else Cosine()), there)
    raises(lambda: call(normalizer=sparsemax), "only a softmax is a sum over keys")
    raises(lambda: call(score=Location(8, 99)), "goes by where a key stands")
    drawn = torch.nn.utils.parametrizations.spectral_norm(Bilinear(8, 8), "weight")
    drawn.requires_grad_(False)
    raises(lambda: call(score=drawn), "changes as it runs: call its eval()")
    raises(lambda: call(mask=Dense(torch.ones(6, 6, dtype=torch.bool))), "Dense has q_len 6 but")
    call()


CASES: dict[str, Callable[[Group], None]] = {
    **dict(tables()),
    "zig-zag causal": zig_zagged({"mask": Causal()}),
    "zig-zag window": zig_zagged({"mask": SlidingWindow(5, 4), "score_mod": ALiBi(4)}),
    "zig-zag documents": zig_zagged(documents()),
    "zig-zag plain": zig_zagged({}),
    "zig-zag padding": zig_zagged({"mask": Padding(torch.tensor([30, 11])) & Causal()}),
    "zig-zag dense": zig_zagged({"mask": Dense(torch.rand(37, 37) < 0.3)}),
    "window": lambda g: compare(g, LONG, {"mask": SlidingWindow(6, 2)}),
    "documents": lambda g: compare(g, LONG, documents()),
    "striped": striped,
    "one rank has everything": one_rank_has_everything,
    "nobody has anything": nobody_has_anything,
    "offset": offset,
    "garbage": garbage,
    "temperature": temperature,
    "dense": dense,
    "rounded": rounded,
    "only borders travel": only_borders_travel,
    "gradients that nobody wants": gradients_that_nobody_wants,
    "joined": joined,
    "twice": twice,
    "changed": changed,
    "mistakes": mistakes,
}


def work(rank: int, folder: Path) -> None:
    """One process: every case in the pair, if it is of that, then in the group of four."""
    torch.set_num_threads(1)
    layout.FEWEST = 4  # lengths are small here, and blocks of a run are to be seen
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank,
                            world_size=WORLD, timeout=timedelta(seconds=PATIENCE))  # fmt: skip
    pair = dist.new_group([0, 2])
    groups = [*([Group(pair)] if rank % 2 == 0 else []), Group(dist.group.WORLD)]
    told, failed = {}, ""
    for group, (name, case) in product(groups, CASES.items()):
        if failed:
            told[f"{name}, {group.world}"] = f"not run after {failed}"
            continue
        torch.manual_seed(0)
        try:
            case(group)
        except Exception:
            failed = f"{name}, {group.world}"
            told[failed] = f"rank {rank}: " + "\n".join(traceback.format_exc().splitlines()[-12:])
    (folder / f"{rank}.json").write_text(json.dumps(told))
    os._exit(0)  # whoever still waits for this one hears of it at once


def main(folder: Path) -> int:
    """Fork all processes and wait for them."""
    import_all()
    children = []
    for rank in range(WORLD):
        children.append(os.fork())
        if not children[-1]:
            work(rank, folder)
    return max(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))

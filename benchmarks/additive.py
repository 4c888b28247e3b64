"""How much faster are additive scores by loops of our own than written out, and whole networks?

The same attention is evaluated three ways on one thread: by the backend `additive`, written out in
PyTorch (`torch.tanh` of a tensor of queries × keys × width), and the same under `torch.compile`;
then that of GATv2, with `leaky_relu` for the tanh, against itself written out.
Then RNNsearch and the captioner write and learn with the backend and without it. Times are the
process's own, so that what else runs on the machine hardly counts; caches and memory are shared
with it all the same. Beside each stands its floor: vector operations of a number over the rate at
which this core multiplies and adds in a matrix product, and vectors read (and, learning, read
again, written and added to) over the rate at which it reads memory.

    python -m benchmarks.additive [--seconds 1.5] [--threads 1] [--dry-run] [--compile]
"""

import os
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

import regard
from benchmarks.measure import (
    clock,
    median_seconds,
    peak_bytes,
    save_timings,
    side_by_side,
    timing_options,
)
from regard._backends import _loops, _memo
from regard.models.captioner.config import CaptionerConfig
from regard.models.captioner.model import Captioner, Memory, Places
from regard.models.rnnsearch.config import RNNsearchConfig, Search
from regard.models.rnnsearch.model import RNNsearch
from regard.scores import Additive, GATv2
from regard.sequences import Sequences

SHAPES = ((8, 128, 128, 256), (1, 512, 512, 64), (16, 1, 30, 1000), (64, 8, 40, 128))
"""Batch, queries, keys and width; the first is the one that DESIGN.md asks for."""


def written_out(query: Tensor, key: Tensor, value: Tensor, v: Tensor) -> Tensor:
    hidden = torch.tanh(query.unsqueeze(-2) + key.unsqueeze(-3))
    return torch.softmax(hidden @ v, -1) @ value


def leaky_written_out(query: Tensor, key: Tensor, value: Tensor, v: Tensor) -> Tensor:
    hidden = torch.nn.functional.leaky_relu(query.unsqueeze(-2) + key.unsqueeze(-3), 0.2)
    return torch.softmax(hidden @ v, -1) @ value


class Kind(NamedTuple):
    """A score, and the vector operations of a number of a pair: a quotient counts as one."""

    score: Callable[..., Any]
    forward: float
    backward: float


TANH, LEAKY = Kind(Additive, 3.0, 12.5), Kind(GATv2, 3.0, 4.0)


def ours(query: Tensor, key: Tensor, value: Tensor, score: Any) -> Tensor:
    return regard.attention(query, key, value, score=score, backend="additive")


def drawn(
    batch: int, q_len: int, k_len: int, width: int, kind: Kind = TANH
) -> tuple[list[Tensor], Any]:
    torch.manual_seed(0)
    lengths = (q_len, k_len, k_len)
    inputs = [torch.randn(batch, 1, length, width, requires_grad=True) for length in lengths]
    return inputs, kind.score(hidden_dim=width)


def learn(run: Callable[..., Tensor], inputs: list[Tensor], last: Any, asked: list[Tensor]) -> None:
    output = run(*inputs, last)
    torch.autograd.grad(output, asked, torch.ones_like(output))


def attentions(
    against: str, run: Callable[..., Tensor], lanes: float, bandwidth: float, seconds: float,
    kind: Kind = TANH,
) -> list[dict[str, Any]]:  # fmt: skip
    """Forward alone and with backward of every shape, ours against another way."""
    rows = []
    for shape in SHAPES:
        inputs, score = drawn(*shape, kind)
        asked = [*inputs, score.v]
        with torch.no_grad():
            torch.testing.assert_close(
                ours(*inputs, score), run(*inputs, score.v), rtol=1e-4, atol=1e-5
            )
        for what in ("forward", "forward+backward"):
            if what == "forward":
                pair = [partial(ours, *inputs, score), partial(run, *inputs, score.v)]
                pair = [torch.no_grad()(one) for one in pair]
            else:
                pair = [
                    partial(learn, ours, inputs, score, asked),
                    partial(learn, run, inputs, score.v, asked),
                ]
            timed = side_by_side(*pair, seconds, clock)
            learns = what != "forward"
            operations = kind.forward + (kind.backward if learns else 0)
            numbers = sum(x.numel() for x in inputs) * (4 if learns else 1)
            floor = operations * torch.Size(shape).numel() / lanes + 4 * numbers / bandwidth
            rows.append({"what": what, "shape": shape, "against": against, **timed})
            rows[-1] |= {"floor_s": floor, "load": os.getloadavg()[0]}
    return rows


def lanes_a_second() -> float:
    """Numbers that this core multiplies and adds in a second, at its best: in a matrix product."""
    x = torch.randn(512, 512)
    product = partial(torch.mm, x, x)
    return 512**3 / min(median_seconds(product, 3, clock) for _ in range(50))


def bytes_a_second() -> float:
    """Bytes that this core reads from memory in a second."""
    x = torch.randn(1 << 25)
    return x.nbytes / min(median_seconds(x.sum, 3, clock) for _ in range(5))


def memory(length: int, how: str) -> Callable[[], None]:
    few, score = drawn(1, 9, 9, 256)
    learn(ours, few, score, [score.v])  # so that the loops are loaded
    inputs, score = drawn(1, length, length, 256)
    run, last = (ours, score) if how == "ours" else (written_out, score.v)
    return partial(learn, run, inputs, last, [*inputs, score.v])


def without_loops(run: Callable[[], Any]) -> Any:
    """The same where the backend does not serve, so that chunks do."""
    there = _loops.has_loops
    _loops.has_loops = lambda: False  # type: ignore[assignment]
    _memo._FASTEST.clear()
    try:
        return run()
    finally:
        _loops.has_loops = there
        _memo._FASTEST.clear()


def networks(seconds: float) -> list[dict[str, Any]]:
    """Whole networks that write a word and that learn, with the loops and without."""
    rows = []
    for width, embed, attention in ((128, 128, 128), (1000, 620, 1000)):
        config = RNNsearchConfig(
            source_vocab=8000, target_vocab=8000, embed_dim=embed, hidden_dim=width,
            attention=Search(attention_dim=attention),
        )  # fmt: skip
        net = RNNsearch(config)
        for sentences, beams in ((1, 1), (1, 5), (16, 5)):
            step = writing(net.eval(), sentences, beams)
            rows.append(compared(f"RNNsearch {width} writes {sentences}x{beams}", step, seconds))
        rows.append(compared(f"RNNsearch {width} learns 32x20", learning(net.train()), seconds))
    tells = Captioner(CaptionerConfig(target_vocab=8000)).eval()
    for images, places in ((1, 196), (16, 196)):
        width = tells.config.hidden_dim
        values = torch.randn(images, 1, places, tells.key.in_features)
        with torch.no_grad():
            seen = Places(values, tells.key(values), *torch.randn(2, images, width))
        state = Memory(*torch.randn(2, images * 5, width))
        token = torch.ones(images * 5, dtype=torch.long)
        step = torch.no_grad()(partial(tells.step, seen, state, token))
        rows.append(compared(f"Captioner {width} writes {images}x5", step, seconds))
    return rows


def writing(net: RNNsearch, sentences: int, beams: int) -> Callable[[], Any]:
    with torch.no_grad():
        encoded = net.encode(sources(sentences))
        state = net.start(encoded, beams)
    token = torch.ones(sentences * beams, dtype=torch.long)
    return torch.no_grad()(partial(net.step, encoded, state, token))


def learning(net: RNNsearch) -> Callable[[], None]:
    source, target = sources(32), torch.randint(4, 8000, (32, 20))

    def run() -> None:
        net.zero_grad()
        net.features(source, target).square().mean().backward()

    return run


def sources(count: int) -> Sequences:
    return Sequences.of([torch.randint(4, 8000, (30 - n % 5,)).tolist() for n in range(count)])


def compared(what: str, run: Callable[[], Any], seconds: float) -> dict[str, Any]:
    timed = side_by_side(run, partial(without_loops, run), seconds, clock)
    return {"what": what, "against": "without the loops", **timed, "load": os.getloadavg()[0]}


def main() -> None:
    given = timing_options(__doc__, 1.5, compile="against torch.compile, too")
    rates = lanes_a_second(), bytes_a_second()
    measured = (*rates, given.seconds)
    rows = attentions("written out", written_out, *measured)
    if given.compile:
        compiled = torch.compile(written_out, dynamic=False)
        rows += attentions("written out, torch.compile", compiled, *measured)
    rows += attentions("GATv2 written out", leaky_written_out, *measured, LEAKY)
    for how in ("ours", "written out"):
        grown = peak_bytes(memory, 512, how)
        rows.append({"what": "peak bytes, 512 x 512 x 256, with backward", "how": how, "b": grown})
    rows += networks(given.seconds)
    table = Table("what", "shape or bytes", "against", "ms", "floor ms", "ratio")
    for row in rows:
        shown = str(row.get("shape", row.get("b", ""))), row.get("against", row.get("how", ""))
        floor = f"{row['floor_s'] * 1e3:.3g}" if "floor_s" in row else ""
        times = f"{row['ours_s'] * 1e3:.3g}" if "ours_s" in row else ""
        ratio = f"{row['ratio']:.2f}" if "ratio" in row else ""
        table.add_row(row["what"], *shown, times, floor, ratio)
    Console().print(table)
    save_timings(given, "additive", rows, lanes_a_second=rates[0], bytes_a_second=rates[1])


if __name__ == "__main__":
    main()

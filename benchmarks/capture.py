"""What does it cost to see attention? A BERT-base-shaped encoder with and without a capture.

Each way runs once in every round, in turns, and a ratio is the median over rounds of how many times
longer it took than the forward pass of that round: on one thread by the processor's time, on which
what else runs on the machine has less effect. Weights are compared with eager's before anything is
timed.

    python -m benchmarks.capture [--rounds 9] [--lengths 128,512] [--peers]

With `--peers`, TorchLens and attnread are run beside it where they can be imported (attnread knows
text decoders, and is asked on a GPT-2-small-shaped one); once, for they take minutes.
"""

import argparse
import statistics
import time
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

import regard
from benchmarks.measure import peak_bytes, save

ROWS = range(8)
LONG = 4096


def bert(how: str) -> Any:
    """The network on one kind of kernels, the same random weights for both."""
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    config = BertConfig()
    return BertModel._from_config(config, attn_implementation=how).eval()


def rounds_of(ways: dict[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    """Processor's seconds of each way in each round."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for run in ways.values():
        run()
    for _ in range(rounds):
        for name, run in ways.items():
            start = time.process_time()
            run()
            times[name].append(time.process_time() - start)
    return times


def ratios(times: dict[str, list[float]], way: str, base: str = "forward") -> dict[str, float]:
    """How many times longer a way takes: the median over rounds, the quarters, and of the least."""
    found = [one / other for one, other in zip(times[way], times[base], strict=True)]
    low, middle, high = statistics.quantiles(found, n=4)
    least = min(times[way]) / min(times[base])
    return {
        "ratio": round(middle, 3), "low": round(low, 3), "high": round(high, 3),
        "of_minima": round(least, 3),
    }  # fmt: skip


def encoder_row(length: int, rounds: int) -> dict[str, Any]:
    """The forward pass, eight rows of all heads, all weights, and eager code that returns them."""
    model, eager = bert("sdpa"), bert("eager")
    ids = torch.randint(1000, 30000, (1, length), generator=torch.Generator().manual_seed(0))

    def forward() -> Any:
        return model(ids)

    def eight() -> list[Tensor]:
        with regard.capture(model, rows=ROWS) as maps:
            model(ids)
        return [each.weights() for each in maps]

    def whole() -> list[Tensor]:
        with regard.capture(model) as maps:
            model(ids)
        return [each.weights() for each in maps]

    def kept() -> Any:
        with regard.capture(model) as maps:
            model(ids)
        return maps

    def materialized() -> Any:
        return eager(ids, output_attentions=True).attentions

    with torch.no_grad():
        for ours, some, theirs in zip(whole(), eight(), materialized(), strict=True):
            torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0.0)
            torch.testing.assert_close(some, theirs[:, :, :8], atol=1e-5, rtol=0.0)
        ways = {
            "forward": forward, "eight_rows": eight, "all_weights": whole, "kept_only": kept,
            "eager": materialized,
        }  # fmt: skip
        times = rounds_of(ways, rounds)
        kept_bytes = kept().bytes
    row: dict[str, Any] = {
        "what": f"BERT-base-shaped, {length} tokens", "length": length,
        "forward_s": round(statistics.median(times["forward"]), 4), "kept_bytes": kept_bytes,
    }  # fmt: skip
    return row | {name: ratios(times, name) for name in ways if name != "forward"}


def long_inputs() -> tuple[Tensor, Tensor, Tensor]:
    """Query, key and value of one layer of long texts."""
    generator = torch.Generator().manual_seed(0)
    query, key, value = (torch.randn(1, 12, LONG, 64, generator=generator) for _ in range(3))
    return query, key, value


def rows_of_long() -> Callable[[], Tensor]:
    query, key, value = long_inputs()
    with regard.capture() as maps:
        F.scaled_dot_product_attention(query, key, value)

    def read() -> Tensor:
        return maps[0].weights(rows=ROWS)

    return read


def eager_of_long() -> Callable[[], Tensor]:
    query, key, _ = long_inputs()

    def compute() -> Tensor:
        return (query @ key.mT * 64**-0.5).softmax(-1)

    return compute


def long_row(rounds: int) -> dict[str, Any]:
    """Eight rows of one layer beside all of them."""
    rows, eager = rows_of_long(), eager_of_long()
    torch.testing.assert_close(rows(), eager()[:, :, :8], atol=1e-6, rtol=0.0)
    times = rounds_of({"eager": eager, "rows": rows}, rounds)
    ours, theirs = peak_bytes(rows_of_long), peak_bytes(eager_of_long)
    return {
        "what": f"eight rows of one layer, {LONG} tokens, 12 heads",
        "eager_over_ours": ratios(times, "eager", "rows"),
        "rows_s": round(statistics.median(times["rows"]), 5),
        "eager_s": round(statistics.median(times["eager"]), 4),
        "rows_bytes": ours, "eager_bytes": theirs, "bytes_ratio": round(theirs / max(1, ours), 1),
    }  # fmt: skip


def torchlens_row(length: int) -> dict[str, Any]:
    """TorchLens on the same network, once."""
    row: dict[str, Any] = {
        "what": f"TorchLens, BERT-base-shaped, {length} tokens",
        "length": length,
    }
    try:
        import torchlens
    except ImportError as error:
        return {**row, "why_not": str(error)}
    model = bert("sdpa")
    ids = torch.randint(1000, 30000, (1, length), generator=torch.Generator().manual_seed(0))

    def whole() -> Any:
        with regard.capture(model) as maps:
            model(ids)
        return [each.weights() for each in maps]

    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            times = rounds_of(
                {"forward": lambda: model(ids), "ours": whole,
                 "theirs": lambda: torchlens.trace(model, ids)}, 2,
            )  # fmt: skip
        except Exception as error:
            return {**row, "why_not": f"{type(error).__name__}: {error}"[:200]}
    medians = {name: statistics.median(each) for name, each in times.items()}
    extra = (medians["theirs"] - medians["forward"]) / max(
        1e-9, medians["ours"] - medians["forward"]
    )
    return {
        **row, "version": torchlens.__version__,
        "theirs_over_forward": round(medians["theirs"] / medians["forward"], 2),
        "ours_over_forward": round(medians["ours"] / medians["forward"], 3),
        "theirs_over_ours": round(medians["theirs"] / medians["ours"], 1),
        "extra_over_ours": round(extra, 1),
    }  # fmt: skip


def attnread_row(length: int) -> dict[str, Any]:
    """Attnread on a decoder of GPT-2's shape, once: `1 + length / width` passes for each layer."""
    row: dict[str, Any] = {
        "what": f"attnread, GPT-2-small-shaped, {length} tokens",
        "length": length,
    }
    try:
        import attnread
    except ImportError as error:
        return {**row, "why_not": str(error)}
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    model = GPT2LMHeadModel._from_config(GPT2Config(), attn_implementation="sdpa").eval()
    ids = torch.randint(1000, 30000, (1, length), generator=torch.Generator().manual_seed(0))
    seconds = {}
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model(ids)
        start = time.process_time()
        model(ids)
        seconds["forward"] = time.process_time() - start
        start = time.process_time()
        with regard.capture(model) as maps:
            model(ids)
        ours = [each.weights() for each in maps]
        seconds["ours"] = time.process_time() - start
        start = time.process_time()
        try:
            theirs = attnread.extract_attention(model, {"input_ids": ids})
        except Exception as error:
            return {**row, "why_not": f"{type(error).__name__}: {error}"[:200]}
        seconds["theirs"] = time.process_time() - start
    off = max(float((theirs["text", n, 0] - ours[n][:, 0]).abs().max()) for n in range(12))
    return {
        **row, "theirs_over_forward": round(seconds["theirs"] / seconds["forward"], 1),
        "ours_over_forward": round(seconds["ours"] / seconds["forward"], 3),
        "theirs_over_ours": round(seconds["theirs"] / seconds["ours"], 1), "difference": off,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--lengths", default="128,512")
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--dry", action="store_true", help="save nothing")
    args = parser.parse_args()
    torch.set_num_threads(1)
    lengths = [int(one) for one in args.lengths.split(",")]
    work: list[Callable[[], dict[str, Any]]] = [
        *(partial(encoder_row, length, args.rounds) for length in lengths),
        partial(long_row, max(3, args.rounds)),
    ]
    if args.peers:
        work += [partial(torchlens_row, length) for length in lengths]
        work.append(partial(attnread_row, lengths[-1]))
    rows: list[dict[str, Any]] = []
    for one in work:
        rows.append(one())
        print(rows[-1], flush=True)
        if not args.dry:
            save("capture", rows)


if __name__ == "__main__":
    main()

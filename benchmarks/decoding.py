"""Is text written faster than by `transformers` and CTranslate2, one token after the other?

A network of GPT-2's smallest shape with random weights continues one prompt of 32 tokens by 64,
greedily, on one CPU thread and on two: ours in float32 (weights as loaded, and `by_columns`), in
eight bits (`int8`) and in bfloat16; `transformers.generate` with its cache and fused attention;
CTranslate2 in float32 and eight bits. All take turns in one process; the ratio is the median of the
ratios of single turns. With one thread the processor's time is counted, which others on a machine
disturb less, with more the clock's. That the float32 ones write the same tokens is checked first.

The floor is the time in which the weights can be read once: their bytes over the bandwidth that the
sum of a matrix which no cache holds reaches, or PyTorch's product of it with one vector.

    python -m benchmarks.decoding [--threads 1,2] [--turns 9]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch

from benchmarks.measure import rows_of, save

PROMPT, WRITTEN, VOCAB = 32, 64, 50_257


def network(folder: Path) -> Any:
    """GPT-2 with random weights, as a folder with a tokenizer, which CTranslate2 wants."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    torch.manual_seed(0)
    theirs = GPT2LMHeadModel(GPT2Config(attn_implementation="sdpa")).eval()
    with torch.no_grad():
        # So that what is most probable does not hang on the last bits.
        theirs.transformer.wte.weight.mul_(10)
    theirs.save_pretrained(folder)
    words = Tokenizer(WordLevel({f"t{n}": n for n in range(VOCAB)}, unk_token="t0"))
    PreTrainedTokenizerFast(
        tokenizer_object=words, unk_token="t0", bos_token="t50256", eos_token="t50256"
    ).save_pretrained(folder)
    return theirs


def ours(model: Any, prompt: torch.Tensor) -> Callable[[], list[int]]:
    from regard.generation import greedy

    @torch.inference_mode()
    def run() -> list[int]:
        encoded = model.encode(prompt)
        (found,) = greedy(model, encoded, begin=encoded.last, max_length=WRITTEN)
        return list(found.tokens)

    return run


def theirs(model: Any, prompt: torch.Tensor) -> Callable[[], list[int]]:
    def run() -> list[int]:
        found = model.generate(
            prompt,
            attention_mask=torch.ones_like(prompt),
            max_new_tokens=WRITTEN,
            min_new_tokens=WRITTEN,
            do_sample=False,
            pad_token_id=0,
            eos_token_id=None,
        )
        return found[0, PROMPT:].tolist()

    return run


def ctranslate(folder: Path, kind: str, threads: int, prompt: torch.Tensor) -> Callable[[], Any]:
    import ctranslate2

    path = folder / kind
    ctranslate2.converters.TransformersConverter(str(folder)).convert(str(path), quantization=kind)
    engine = ctranslate2.Generator(str(path), intra_threads=threads, inter_threads=1)
    tokens = [f"t{number}" for number in prompt[0].tolist()]

    def run() -> list[int]:
        (found,) = engine.generate_batch(
            [tokens],
            max_length=WRITTEN,
            min_length=WRITTEN,
            sampling_topk=1,
            include_prompt_in_result=False,
            end_token=[],
        )
        return found.sequences_ids[0]

    return run


def bandwidth(clock: Callable[[], float], megabytes: int = 256) -> float:
    """Bytes a second that a sum or a product with one vector reads, at best."""
    weight = torch.randn(megabytes * 2**18 // 1024, 1024)
    x, best = torch.randn(1, 1024), float("inf")
    linear, columns = torch.nn.functional.linear, weight.t().contiguous().t()
    for read in (weight.sum, lambda: linear(x, weight), lambda: linear(x, columns)):
        for _ in range(8):
            began = clock()
            read()
            best = min(best, clock() - began)
    return weight.numel() * 4 / best


def ways(folder: Path, threads: int) -> dict[str, tuple[Callable[[], Any], float]]:
    """Every way of writing, with the bytes of weights that it reads for a token."""
    import regard
    from regard.layers import by_columns, int8

    other, prompt = network(folder), torch.randint(VOCAB - 1, (1, PROMPT))
    model = regard.load(folder)
    weights = sum(part.weight.numel() for part in model.modules() if type(part) is torch.nn.Linear)
    whole = 4.0 * weights
    found: dict[str, tuple[Callable[[], Any], float]] = {
        "transformers": (theirs(other, prompt), whole),
        "ours float32": (ours(model, prompt), whole),
        "ours float32 by columns": (ours(by_columns(model), prompt), whole),
        "ours bfloat16": (ours(regard.load(folder).bfloat16(), prompt), whole / 2),
        "ours int8": (ours(int8(model), prompt), whole / 4),
        "CTranslate2 float32": (ctranslate(folder, "float32", threads, prompt), whole),
        "CTranslate2 int8": (ctranslate(folder, "int8", threads, prompt), whole / 4),
    }
    wanted = found["transformers"][0]()
    assert len(wanted) == WRITTEN
    for name, (run, _) in found.items():
        tokens = run()
        assert len(tokens) == WRITTEN, f"{name} writes {len(tokens)} tokens"
        same = sum(a == b for a, b in zip(tokens, wanted, strict=True))
        print(f"{name}: {same} of {WRITTEN} tokens are those of transformers", flush=True)
        assert same == WRITTEN or "float32" not in name, name
    return found


def measured(threads: int, turns: int) -> dict[str, Any]:
    """Seconds of each way in each turn."""
    torch.set_num_threads(threads)
    clock = time.process_time if threads == 1 else time.perf_counter
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        found = ways(Path(folder), threads)
        times: dict[str, list[float]] = {name: [] for name in found}
        for _ in range(turns):
            for name, (run, _) in found.items():
                began = clock()
                run()
                times[name].append(clock() - began)
        speed = bandwidth(clock)
    base = times["transformers"]
    return {
        "threads": threads,
        "seconds_of": "processor" if threads == 1 else "clock",
        "load": os.getloadavg()[0],
        "bandwidth_gb_s": round(speed / 1e9, 1),
        "ways": {
            name: {
                "tokens_s": round(WRITTEN / median(times[name]), 1),
                "best_tokens_s": round(WRITTEN / min(times[name]), 1),
                "ratio": round(median(b / a for a, b in zip(times[name], base, strict=True)), 2),
                "floor_tokens_s": round(speed / size, 1),
            }
            for name, (_, size) in found.items()
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--turns", type=int, default=9)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measured(given.one, given.turns)))
        return
    wanted = given.threads.split(",")
    rows = [row for row in rows_of("decoding") if str(row["threads"]) not in wanted]
    for threads in wanted:
        # Each in a process of its own: libraries fix their threads when they are loaded.
        command = [sys.executable, "-m", "benchmarks.decoding", "--one", threads]
        done = subprocess.run(
            [*command, "--turns", str(given.turns)],
            env={**os.environ, "OMP_NUM_THREADS": threads},
            stdout=subprocess.PIPE,
            check=True,
            text=True,
        )
        *said, last = done.stdout.strip().splitlines()
        print("\n".join(said))
        rows.append(json.loads(last))
        for name, each in rows[-1]["ways"].items():
            print(f"{threads} threads, {name}: {each}", flush=True)
    save("decoding", sorted(rows, key=lambda row: row["threads"]))


if __name__ == "__main__":
    main()

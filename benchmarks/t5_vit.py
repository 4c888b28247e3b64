"""T5-small and ViT-B/16 beside `transformers`: read ragged texts, write, look at pictures.

Random weights, the same in both; states, tokens and classes are compared before anything is timed.
All ways of one question take turns in one process; a ratio is the median over rounds of how many
times longer `transformers` took. One thread is measured by the processor's time, two by the clock.

    python -m benchmarks.t5_vit [--threads 1,2] [--rounds 7]
"""

import argparse
import copy
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

import regard
from benchmarks.encoder import lengths
from benchmarks.measure import rows_of, save
from regard.generation import greedy
from regard.layers import by_columns, int8, prepacked
from regard.layers.dynamic_int8 import round_linear
from regard.sequences import Packed, Sequences

Ways = dict[str, Callable[[], torch.Tensor]]
"""Ways of doing one thing, the first that of `transformers`."""
VOCAB, WRITTEN, PICTURES = 32_128, 64, 8


def t5(folder: Path) -> tuple[Any, Any]:
    """Ours and theirs, of T5-small's shape; its published weights are as large as these."""
    from transformers import T5Config, T5ForConditionalGeneration

    torch.manual_seed(0)
    theirs = T5ForConditionalGeneration(T5Config(decoder_start_token_id=0)).eval()
    theirs.save_pretrained(folder)
    return regard.load(folder).eval(), theirs


def reading(folder: Path) -> Ways:
    """The encoder on 32 sentences of which the padding doubles the tokens."""
    ours, theirs = t5(folder)
    generator = torch.Generator().manual_seed(0)
    drawn = [torch.randint(2, VOCAB, (n,), generator=generator) for n in lengths(32, 128)]
    texts = Sequences.of([row.tolist() for row in drawn])
    packed, real = Packed.of(texts), texts.real.expand_as(texts.ids)
    rounded, ready = round_linear(copy.deepcopy(ours)), prepacked(copy.deepcopy(ours))
    return {
        "transformers, padded": lambda: theirs.encoder(
            input_ids=texts.ids, attention_mask=real.long()
        ).last_hidden_state[real],
        "padded": lambda: ours.encoder(texts)[real],
        "packed": lambda: ours.encoder(packed)[0],
        "packed, prepacked": lambda: ready.encoder(packed)[0],
        "packed, int8": lambda: rounded.encoder(packed)[0],
    }


def writing(folder: Path) -> Ways:
    """Greedy continuation by 64 tokens, after a text of 32."""
    ours, theirs = t5(folder)
    text = torch.randint(2, VOCAB, (1, 32), generator=torch.Generator().manual_seed(0))

    def way(model: Any) -> Callable[[], torch.Tensor]:
        def run() -> torch.Tensor:
            # No token ends the text: random weights would end some of them early.
            (found,) = greedy(model, model.encode(Sequences(text)), begin=0, max_length=WRITTEN)
            return torch.tensor(found.tokens)

        return run

    def generate() -> torch.Tensor:
        found = theirs.generate(
            input_ids=text, max_new_tokens=WRITTEN, min_new_tokens=WRITTEN,
            do_sample=False, eos_token_id=None,
        )  # fmt: skip
        return found[0, 1:]

    return {
        "transformers": generate,
        "float32": way(ours),
        "float32 by columns": way(by_columns(ours)),
        "int8": way(int8(ours)),
    }


def looking(folder: Path) -> Ways:
    """ViT-B/16's classes of eight pictures of 224 by 224."""
    from transformers import ViTConfig, ViTForImageClassification

    torch.manual_seed(0)
    theirs = ViTForImageClassification(ViTConfig(num_labels=1000)).eval()
    theirs.save_pretrained(folder)
    ours = regard.load(folder).eval()
    pictures = torch.randn(PICTURES, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    rounded, ready = round_linear(copy.deepcopy(ours)), prepacked(copy.deepcopy(ours))
    return {
        "transformers": lambda: theirs(pixel_values=pictures).logits,
        "float32": lambda: ours(pictures),
        "float32, prepacked": lambda: ready(pictures),
        "int8": lambda: rounded(pictures),
    }


QUESTIONS = {
    "T5-small, encoder": reading,
    "T5-small, decoding": writing,
    "ViT-B/16": looking,
}


def compared(question: str, ways: Ways) -> dict[str, float]:
    """How far each is from `transformers`, which float32 must not be."""
    (first, wanted), *others = ((name, run()) for name, run in ways.items())
    found = {}
    for name, given in others:
        if wanted.is_floating_point():
            off = float((given.float() - wanted).abs().max() / wanted.abs().max())
            allowed = 1e-4
        else:
            off, allowed = float((given != wanted).float().mean()), 0.0
        if "int8" not in name and off > allowed:
            raise AssertionError(f"{question}: {name} is off by {off:.2g} from {first}")
        found[name] = off
    return found


@torch.inference_mode()
def measured(question: str, threads: int, rounds: int) -> list[dict[str, object]]:
    """A row for each way."""
    clock = time.process_time if threads == 1 else time.perf_counter
    with tempfile.TemporaryDirectory() as folder:
        ways = QUESTIONS[question](Path(folder))
    offs = compared(question, ways)
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, run in ways.items():
            began = clock()
            run()
            times[name].append(clock() - began)
    base = next(iter(times.values()))
    return [
        {
            "question": question,
            "threads": threads,
            "way": name,
            "seconds": statistics.median(took),
            "ratio": statistics.median(b / a for a, b in zip(took, base, strict=True)),
            "relative_change": offs.get(name, 0.0),
            "load": os.getloadavg()[0],
        }
        for name, took in times.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    for threads in map(int, given.threads.split(",")):
        torch.set_num_threads(threads)
        for question in QUESTIONS:
            rows = [
                row
                for row in rows_of("t5_vit")
                if (row["question"], row["threads"]) != (question, threads)
            ]
            new = measured(question, threads, given.rounds)
            for row in new:
                print(row, flush=True)
            save("t5_vit", rows + new)


if __name__ == "__main__":
    main()

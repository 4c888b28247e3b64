"""How fast is an encoder of BERT-base's shape on a CPU, beside the engines that people use for it?

The same random weights in all engines, 32 sentences of which the padding doubles the tokens, and 32
of one length. Every engine's states are compared with those of `transformers` before anything is
timed. In each round every engine runs once; a ratio is the median over rounds of how many times
longer `transformers` took on the padded batch, its spread the quarter below and above. One thread
is also measured by the processor's time, on which what else runs on the machine has less effect.

    python -m benchmarks.encoder [--rounds 5] [--threads 1,2] [--longest 128]

CTranslate2 and ONNX Runtime (`pip install ctranslate2 onnxruntime onnx onnxscript`) are left out
where they are not installed, and the row says so.
"""

import argparse
import copy
import gc
import importlib.util
import json
import random
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

import regard
from benchmarks.measure import save
from regard.layers import prepacked
from regard.layers.dynamic_int8 import round_linear
from regard.sequences import Packed, Sequences

Engine = Callable[[], Any]
"""Reads the texts once; what it gives is made states of tokens by the engine's `Reader`."""

Reader = Callable[[Any], Tensor]
"""What an engine gave, as the states of all real tokens, text after text."""

SEED = 0


def lengths(count: int, longest: int) -> list[int]:
    """Lengths of sentences, log-normal, the longest as given and the padding as many as tokens."""
    draw = random.Random(SEED)
    raw = sorted(draw.lognormvariate(0, 0.5) for _ in range(count))
    low, high = 0.0, float(longest)
    while high - low > 1e-6:
        scale = (low + high) / 2
        found = [*(max(4, min(longest, round(one * scale))) for one in raw[:-1]), longest]
        low, high = (scale, high) if 2 * sum(found) < count * longest else (low, scale)
    draw.shuffle(found)
    return found


class Bench:
    """The engines on one batch, all with the weights of one network of `transformers`."""

    def __init__(self, folder: Path, each: list[int], threads: int) -> None:
        draw = random.Random(SEED)
        self.rows = [[draw.randrange(1000, 30000) for _ in range(n)] for n in each]
        self.padded = Sequences.of(self.rows)
        self.real = self.padded.real.expand_as(self.padded.ids)
        self.folder, self.threads = folder, threads

    def engines(self, ragged: bool) -> dict[str, tuple[Engine, Reader]]:
        """Every engine that is installed, by name; without padding only what may differ then."""
        from transformers import AutoModel

        theirs = AutoModel.from_pretrained(self.folder, attn_implementation="sdpa").eval()
        ours, texts, packed = regard.load(self.folder).eval(), self.padded, Packed.of(self.padded)
        mask = self.real.long() if ragged else None
        rounded, ready = round_linear(copy.deepcopy(ours)), prepacked(copy.deepcopy(ours))
        found: dict[str, tuple[Engine, Reader]] = {
            "transformers, padded": (lambda: _states(theirs, texts.ids, mask), self._of_padded),
            "ours, padded": (lambda: ours(texts), self._of_padded),
            "ours, packed": (lambda: ours(packed), lambda x: x[0]),
            "ours, packed, prepacked": (lambda: ready(packed), lambda x: x[0]),
            "ours, packed, int8": (lambda: rounded(packed), lambda x: x[0]),
        }
        if ragged:
            found["transformers, sorted"] = (lambda: self._sorted(theirs), self._of_rows)
            found["transformers, packed by hand"] = (
                lambda: by_hand(theirs, packed),
                lambda x: x[0],
            )
        return found | self._ctranslate2() | self._onnx()

    def _of_padded(self, x: Any) -> Tensor:
        return torch.as_tensor(np.asarray(x) if not isinstance(x, Tensor) else x)[self.real]

    def _of_rows(self, rows: dict[int, Tensor]) -> Tensor:
        return torch.cat([rows[n][: len(row)] for n, row in enumerate(self.rows)])

    def _sorted(self, model: Any) -> dict[int, Tensor]:
        """Batches of eight, each of texts of like length: what a careful user does."""
        order = sorted(range(len(self.rows)), key=lambda n: len(self.rows[n]))
        found: dict[int, Tensor] = {}
        for start in range(0, len(order), 8):
            some = order[start : start + 8]
            batch = Sequences.of([self.rows[n] for n in some])
            states = _states(model, batch.ids, batch.real.expand_as(batch.ids).long())
            found |= dict(zip(some, states, strict=True))
        return found

    def _ctranslate2(self) -> dict[str, tuple[Engine, Reader]]:
        if importlib.util.find_spec("ctranslate2") is None:
            return {}
        import ctranslate2

        made = self.folder / "ctranslate2"
        if not made.exists():
            ctranslate2.converters.TransformersConverter(str(self.folder)).convert(str(made))
        found: dict[str, tuple[Engine, Reader]] = {}
        for kind in ("float32", "int8"):
            encoder = ctranslate2.Encoder(
                str(made), compute_type=kind, intra_threads=self.threads, inter_threads=1
            )
            found[f"CTranslate2, {kind}"] = (
                lambda encoder=encoder: encoder.forward_batch(self.rows).last_hidden_state,
                self._of_padded,
            )
        return found

    def _onnx(self) -> dict[str, tuple[Engine, Reader]]:
        if any(importlib.util.find_spec(name) is None for name in ("onnxruntime", "onnxscript")):
            return {}
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = self.threads, 3
        given = {
            "input_ids": self.padded.ids.numpy(), "attention_mask": self.real.long().numpy(),
        }  # fmt: skip
        found: dict[str, tuple[Engine, Reader]] = {}
        for kind, path in exported(self.folder).items():
            session = onnxruntime.InferenceSession(str(path), options)
            found[f"ONNX Runtime, {kind}"] = (
                lambda session=session: session.run(None, given)[0],
                self._of_padded,
            )
        return found


def _states(model: Any, ids: Tensor, mask: Tensor | None) -> Tensor:
    return model(input_ids=ids, attention_mask=mask).last_hidden_state


def by_hand(model: Any, texts: Packed) -> Tensor:
    """What anybody can write: the layers of `transformers` on one row, attention text by text."""
    x = model.embeddings(input_ids=texts.ids, position_ids=texts.positions)
    sizes = texts.lengths.tolist()
    for layer in model.encoder.layer:
        part = layer.attention.self
        heads = [
            linear(x).unflatten(-1, (part.num_attention_heads, -1)).transpose(1, 2)
            for linear in (part.query, part.key, part.value)
        ]
        cut = zip(*(one.split(sizes, 2) for one in heads), strict=True)
        joined = torch.cat([F.scaled_dot_product_attention(*each) for each in cut], 2)
        x = layer.attention.output(joined.transpose(1, 2).flatten(2), x)
        x = layer.output(layer.intermediate(x), x)
    return x


def exported(folder: Path) -> dict[str, Path]:
    """The network as a graph of ONNX, in float32 and with weights rounded to 8 bits."""
    plain, rounded = folder / "model.onnx", folder / "model.int8.onnx"
    if not rounded.exists():
        from onnxruntime.quantization import quantize_dynamic
        from onnxruntime.quantization.shape_inference import quant_pre_process
        from transformers import AutoModel

        model = AutoModel.from_pretrained(folder, attn_implementation="sdpa").eval()
        ids = torch.ones(2, 8, dtype=torch.long)
        mask = ids.clone()
        mask[1, 5:] = 0  # a mask that hides nothing would be left out of the graph
        axes = {0: torch.export.Dim("batch"), 1: torch.export.Dim("length")}
        torch.onnx.export(
            model, (), plain, dynamo=True, verbose=False, external_data=False,
            kwargs={"input_ids": ids, "attention_mask": mask},
            dynamic_shapes={"input_ids": axes, "attention_mask": axes},
        )  # fmt: skip
        ready = folder / "model.ready.onnx"
        quant_pre_process(str(plain), str(ready), skip_symbolic_shape=True)
        quantize_dynamic(str(ready), str(rounded), per_channel=True)
    return {"float32": plain, "int8": rounded}


def network(folder: Path, layers: int) -> None:
    """Random weights of BERT-base's shape, in the layout that all engines read."""
    from transformers import BertConfig, BertModel

    torch.manual_seed(SEED)
    BertModel(BertConfig(num_hidden_layers=layers)).save_pretrained(folder)
    path = folder / "config.json"
    words = json.loads(path.read_text()) | {"position_embedding_type": "absolute"}
    path.write_text(json.dumps(words))  # CTranslate2 asks for it


@torch.inference_mode()
def measured(bench: Bench, ragged: bool, rounds: int) -> list[dict[str, object]]:
    """A row for each engine: its states compared, then timed in turns with all others."""
    engines = bench.engines(ragged)
    given = {name: read(run()).float() for name, (run, read) in engines.items()}
    wanted = given["transformers, padded"]
    changes = {name: _change(x, wanted, bench) for name, x in given.items()}
    for name, change in changes.items():
        limit = 1e-4 if "int8" not in name else 2.0
        if not change["largest_change"] <= limit:
            raise AssertionError(f"{name} gives other states than transformers: {change}")
    wall: dict[str, list[float]] = {name: [] for name in engines}
    cpu: dict[str, list[float]] = {name: [] for name in engines}
    for _ in range(rounds):
        for name, (run, _) in engines.items():
            start, used = time.perf_counter(), time.process_time()
            run()
            wall[name].append(time.perf_counter() - start)
            cpu[name].append(time.process_time() - used)
    common = {"texts": "ragged" if ragged else "of one length", "threads": bench.threads}
    rows = []
    for name in engines:
        row = {**common, "engine": name, "seconds": round(statistics.median(wall[name]), 4)}
        row |= _ratios("faster", wall["transformers, padded"], wall[name])
        if bench.threads == 1:
            row |= _ratios("faster_by_cpu_time", cpu["transformers, padded"], cpu[name])
        rows.append(row | changes[name])
    return rows


def _ratios(name: str, theirs: list[float], ours: list[float]) -> dict[str, object]:
    each = [a / b for a, b in zip(theirs, ours, strict=True)]
    low, middle, high = statistics.quantiles(each, n=4) if len(each) > 1 else each * 3
    return {name: round(middle, 3), f"{name}_quarters": [round(low, 3), round(high, 3)]}


def _change(x: Tensor, wanted: Tensor, bench: Bench) -> dict[str, float]:
    """How far states lie from the wanted ones, and the mean of each text's from its own."""
    sizes = [len(row) for row in bench.rows]
    a, b = (torch.stack([one.mean(0) for one in y.split(sizes)]) for y in (x, wanted))
    cosine = F.cosine_similarity(a, b).min()
    return {
        "largest_change": float(f"{float((x - wanted).abs().max()):.3g}"),
        "least_cosine_of_embeddings": round(float(cosine), 6),
    }


def main() -> None:
    """Measure all engines at each number of threads, and write what came out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--longest", type=int, default=128)
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--texts", type=int, default=32)
    parser.add_argument("--dry-run", action="store_true", help="do not write the results")
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    ragged = lengths(options.texts, options.longest)
    even = [options.longest // 2] * options.texts
    shape = {"layers": options.layers, "lengths": sorted(ragged), "rounds": options.rounds}
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as folder:
        network(Path(folder), options.layers)
        for threads in map(int, options.threads.split(",")):
            torch.set_num_threads(threads)
            for each in (ragged, even):
                bench = Bench(Path(folder), each, threads)
                for row in measured(bench, each is ragged, options.rounds):
                    rows.append(row)
                    print(json.dumps(row), flush=True)
                gc.collect()
                if not options.dry_run:
                    print(f"written to {save('encoder', rows, shape=shape)}")


if __name__ == "__main__":
    main()

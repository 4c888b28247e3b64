"""Does what stands out hold the maximum of the saliency map?

Displays of bars, one of another colour or orientation (`regard.data.synthetic.displays`), at three
sizes; the share of them in which the map's highest place lies in the cell of the odd bar, for the
model as usual here and as printed in the paper.

    python -m benchmarks.saliency [--displays 200]
"""

import argparse
from typing import Any

import torch

from benchmarks.measure import save
from regard.data.synthetic.displays import display
from regard.vision.saliency import Saliency, scanpath

SHAPES = ({"size": 512, "grid": 7}, {"size": 512, "grid": 5}, {"size": 384, "grid": 5})


@torch.inference_mode()
def row(kind: str, variant: Any, shape: dict[str, int], count: int) -> dict[str, Any]:
    saliency, found = Saliency(variant=variant), 0
    for seed in range(count):
        shown = display(kind, seed, **shape)
        salient = saliency(shown.image[None])
        place = (scanpath(salient, 1)[0, 0] + 0.5) * (shown.image.shape[-1] / salient.shape[-1])
        found += shown.holds(*place.tolist())
    return {"odd": kind, "variant": variant, **shape, "displays": count, "found": found / count}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--displays", type=int, default=200)
    asked = parser.parse_args()
    rows = []
    for shape in SHAPES:
        for kind in ("colour", "orientation"):
            for variant in ("signed", "paper"):
                rows.append(row(kind, variant, shape, asked.displays))
                save("saliency", rows)
                print(rows[-1], flush=True)


if __name__ == "__main__":
    main()

"""Does a captioner look at what it names?

Scenes of two by two or three by three pictures of a labelled set (CIFAR-10, in Parquet as the Hub
has it), and sentences that say what is beside and above what: `a cat beside a ship above a dog
beside a frog`. Judged are the words of what is written, and how often the place that was looked at
most for a class is in the tile of that class. Pictures of `--test` are in no scene to learn from. A
row that is there already is not made again.

    python -m benchmarks.captions --train TRAIN.parquet --test TEST.parquet --classes NAMES.txt
        [--sides 2,3] [--seeds 0,1,2] [--scenes 20000] [--epochs 20] [--rows soft,no_penalty,hard]
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.measure import rows_of, save
from benchmarks.runs import assignments, facts, finished_run
from regard._io.extra import extra
from regard.data.encoding.decoded import decoded
from regard.data.synthetic.captioned_scenes import boxes_of, sentence
from regard.data.synthetic.drawing import png

ROWS: dict[str, dict[str, Any]] = {
    "soft": {"attention": "soft"},
    "no_penalty": {"attention": "soft(penalty=0)"},
    "hard": {"attention": "hard"},
}
SETTINGS: dict[str, Any] = {"shape": "cifar(depth=20)", "dropout": 0.3, "learning_rate": 2e-3}
METRICS = ("loss", "bleu", "word_accuracy", "pointing")
HELD_OUT = 1000
"""Scenes to validate on, and to test on."""

Labelled = tuple[list[bytes], np.ndarray]
"""The files of pictures, and the numbers of their labels."""


def labelled(path: Path) -> Labelled:
    """The pictures and labels of a Parquet file with the columns `image` and `label`."""
    table = extra("pyarrow.parquet").read_table(path, columns=["image", "label"])
    return [cell["bytes"] for cell in table["image"].to_pylist()], np.array(table["label"])


def scenes(
    data: Labelled, names: list[str], side: int, count: int, seed: int
) -> Iterator[tuple[np.ndarray, str, str]]:
    """So many scenes of pictures drawn from these, their sentences and their boxes."""
    pictures, labels = data
    rng = np.random.default_rng([seed, side])
    for _ in range(count):
        chosen = rng.integers(len(pictures), size=side * side)
        tiles = [decoded(pictures[n], f"picture {n}") for n in chosen]
        rows = [np.concatenate(tiles[n * side : (n + 1) * side], 1) for n in range(side)]
        words = [names[labels[n]] for n in chosen]
        things = [f"{'an' if word[0] in 'aeiou' else 'a'} {word}" for word in words]
        yield np.concatenate(rows), sentence(things, side), boxes_of(words, side)


def written(folder: Path, parts: dict[str, Iterator[tuple[np.ndarray, str, str]]]) -> Path:
    """Scenes as a folder that `regard.train` reads: pictures, and a table for each part."""
    done = folder / "written"
    if done.exists():
        return folder
    for part, rows in parts.items():
        (folder / "pictures" / part).mkdir(parents=True, exist_ok=True)
        with (folder / f"{part}.jsonl").open("w") as table:
            for number, (picture, caption, boxes) in enumerate(rows):
                name = f"pictures/{part}/{number}.png"
                (folder / name).write_bytes(png(picture, name).content)
                row = {"image": name, "caption": caption, "boxes": boxes.split("\t")}
                table.write(json.dumps(row) + "\n")
    done.touch()
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--test", type=Path, required=True)
    parser.add_argument(
        "--classes", type=Path, required=True, help="a name of a label on each line"
    )
    parser.add_argument("--sides", default="2,3")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--scenes", type=int, default=20_000)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--rows", default=",".join(ROWS))
    parser.add_argument("--out", type=Path, default=Path("runs/captions"))
    parser.add_argument("--set", action="append", default=[], help="for every network")
    options = parser.parse_args()
    torch.set_num_threads(1)
    names = options.classes.read_text().split()
    train, (pictures, labels) = labelled(options.train), labelled(options.test)
    half = len(pictures) // 2
    valid, test = (pictures[:half], labels[:half]), (pictures[half:], labels[half:])
    done = rows_of("captions")
    for side in map(int, options.sides.split(",")):
        held_out = min(HELD_OUT, options.scenes)
        parts = {
            "train": scenes(train, names, side, options.scenes, 0),
            "valid": scenes(valid, names, side, held_out, 1),
            "test": scenes(test, names, side, held_out, 2),
        }
        folder = written(options.out / f"scenes-{side}-{options.scenes}", parts)
        size = decoded(pictures[0], "the first picture").shape[0] * side
        for seed in map(int, options.seeds.split(",")):
            for name in options.rows.split(","):
                budget = {"scenes": options.scenes, "epochs": options.epochs}
                key = {"row": name, "side": side, "seed": seed, **budget, "set": options.set}
                if any(key.items() <= row.items() for row in done):
                    continue
                given = {**SETTINGS, **ROWS[name], "epochs": options.epochs, "size": size}
                out = options.out / f"{folder.name}-{name}-{options.epochs}-{seed}"
                more = {**given, **assignments(options.set)}
                run = finished_run(folder, out, task="caption", seed=seed, **more)
                scores = {metric: run.metrics["test"][metric] for metric in METRICS}
                done.append({**scores, **facts(run), **key})
                save("captions", done)
                print(done[-1], flush=True)


if __name__ == "__main__":
    main()

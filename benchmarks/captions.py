"""Does a captioner look at what it names?

Scenes of two by two or three by three pictures of a labelled set (CIFAR-10, in Parquet as the Hub
has it), and sentences that say what is beside and above what: `a cat beside a ship above a dog
beside a frog`. Judged are the words of what is written, and how often the place that was looked at
most for a class is in the tile of that class. Pictures of `--test` are in no scene to learn from. A
row that is there already is not made again. `hard_after_soft` is `hard` with the first half of its
epochs soft. With `--sees RUN` it begins with what a ResNet-20 has learned that labels such pictures
one by one (a run of `benchmarks.blocks`), as the paper's begins with a network that labels
pictures; else with nothing.

    python -m benchmarks.captions --train TRAIN.parquet --test TEST.parquet --classes NAMES.txt
        [--sides 2,3] [--seeds 0,1,2] [--scenes 20000] [--epochs 20] [--rows soft,hard_after_soft]
        [--sees RUN]
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import regard
from benchmarks.measure import rows_of, save
from benchmarks.runs import assignments, facts, finished_run
from regard._io.extra import extra
from regard.data.encoding.decoded import decoded
from regard.data.synthetic.captioned_scenes import boxes_of, sentence
from regard.data.synthetic.drawing import png
from regard.models.captioner import Captioner, CaptionerConfig, HardAttention, SoftAttention
from regard.models.resnet.config import Cifar
from regard.tasks.caption import Caption, CaptionSettings

ROWS = {
    "soft": SoftAttention(),
    "no_penalty": SoftAttention(penalty=0.0),
    "hard": HardAttention(),
    "hard_after_soft": HardAttention(),
}
SOFT = {"hard_after_soft": 0.5}
"""Row → the share of the epochs in which a hard attention is trained as a soft one, at first."""
MODEL: dict[str, Any] = {
    "shape": Cifar(depth=20),
    "embed_dim": 64,
    "hidden_dim": 128,
    "dropout": 0.3,
}
TASK: dict[str, Any] = {"batch_size": 32}
TRAINING: dict[str, Any] = {"learning_rate": 2e-3}
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


def trained(folder: Path, out: Path, row: str, size: int, sees: Path | None, **more: Any) -> Any:
    """The run of one row."""
    model, more = {**MODEL, "attention": ROWS[row]}, {**TRAINING, **more}
    settings = {**TASK, "soft_epochs": SOFT.get(row, 0.0) * more["epochs"]}
    if sees is None:
        given = {"task": "caption", "model": "captioner", "size": size, **settings, **model, **more}
        return finished_run(folder, out, **given)
    weights = regard.Run(sees).model.state_dict()

    def network(target_vocab: int, **_: Any) -> nn.Module:
        made = Captioner(CaptionerConfig(target_vocab=target_vocab, **model))
        kept = {name: weights[name] for name in made.sees.state_dict()}
        made.sees.load_state_dict(kept)
        return made.to(memory_format=torch.channels_last)

    torch.manual_seed(more["seed"])
    task = Caption(str(folder), network, CaptionSettings(size=size, **settings))
    return finished_run(None, out, task=task, **more)


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
    parser.add_argument("--sees", type=Path, help="a run of a ResNet-20 to begin with")
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
                key["sees"] = None if options.sees is None else options.sees.name
                if any(key.items() <= row.items() for row in done):
                    continue
                out = options.out / f"{folder.name}-{name}-{options.epochs}-{seed}"
                more = {"epochs": options.epochs, "seed": seed, **assignments(options.set)}
                run = trained(folder, out, name, size, options.sees, **more)
                scores = {metric: run.metrics["test"][metric] for metric in METRICS}
                done.append({**scores, **facts(run), **key})
                save("captions", done)
                print(done[-1], flush=True)


if __name__ == "__main__":
    main()

"""How the benchmarks train on CIFAR-10: read once, by `regard.train`, a budget of updates for all.

The recipe is `cifar_resnet20`'s but for the budget and the batch. Weights lie channels last and
products are of 16 bits, which is fastest on a processor that has them (`python -m benchmarks.cifar`
says by how much, and what the training loop costs beside one written by hand, in processor time).
"""

import argparse
import statistics
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, pad

import regard
from benchmarks.measure import save
from regard.data.encoding.augment import CropFlip
from regard.models.resnet import ResNet, cifar
from regard.run.training import Options
from regard.tasks.image_classify import ImageClassify, ImageClassifySettings
from regard.tasks.image_classify.coder import LabelledPictures
from regard.tasks.task import Encoded

SIZE, CLASSES, PADDING = 32, 10, 4
ASKED_AT_ONCE = 500
TRAINING: dict[str, Any] = dict(
    optimizer="sgd", learning_rate=0.1, weight_decay=1e-4, clip=10.0, warmup=0.1
)


def network(block: str | None, seed: int = 0) -> nn.Module:
    """A new ResNet-20 with a block of attention, or none."""
    torch.manual_seed(seed)
    return ResNet(cifar(20, classes=CLASSES, block=block)).to(memory_format=layout(block))


def layout(block: str | None) -> torch.memory_format:
    """How weights and maps lie: channels last, but for SK's kernels in groups and with holes.

    Their gradient is wrong in PyTorch 2.13 on a processor, channels last and in 16 bits:
    `nn.Conv2d(16, 16, 3, dilation=2, groups=2)` alone has NaN.
    """
    holes = block is not None and block.startswith("sk")
    return torch.contiguous_format if holes else torch.channels_last


@dataclass(frozen=True, eq=False)
class Pictures:
    """CIFAR-10 as `regard.train` learns it.

    Args:
        data: the parts to train and to validate on; 2 % are held out.
        tested: the part to test on, as a network reads it.
        settings: of the task.
        out: where runs are kept.
    """

    data: Encoded
    tested: LabelledPictures
    settings: ImageClassifySettings
    out: Path

    @classmethod
    def read(cls, folder: Path, batch: int, out: Path) -> "Pictures":
        """The pictures of a folder with `train.parquet` and `test.parquet`."""
        changes = CropFlip(padding=PADDING)
        settings = ImageClassifySettings(size=SIZE, batch_size=batch, augment=changes)
        found = ImageClassify.prepare(str(folder), settings)
        # The test part is asked once, here, and not in 32 bits by every run.
        examples = dict(found.examples)
        test = examples.pop("test")
        tested = found.coder.collate(test, np.arange(len(test)))
        return cls(replace(found, examples=examples), tested, settings, out)

    def trained(self, model: nn.Module, name: str, **settings: Any) -> regard.Run:
        """Train a network to the end, or go on where that was stopped."""
        task = ImageClassify(self.data, model.train(), self.settings)
        given = {**TRAINING, "evaluate_every": settings["steps"], "precision": "bf16", **settings}
        quiet = Options(progress=False)
        run = regard.train(task=task, out=self.out / name, options=quiet, **given)
        if run.signal is not None:
            raise SystemExit(f"{name} did not finish; start again to go on")
        return run

    def accuracy(self, model: nn.Module) -> float:
        """The share of the test pictures that are labelled right."""
        right, model = 0, model.eval().to(memory_format=torch.channels_last)
        images, labels = self.tested.images, self.tested.label
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            for first in range(0, len(labels), ASKED_AT_ONCE):
                some = slice(first, first + ASKED_AT_ONCE)
                right += int((model(images[some]).argmax(1) == labels[some]).sum())
        return right / len(labels)


def by_hand(pictures: Pictures, model: nn.Module, steps: int, precision: str) -> float:
    """Pictures a second of a loop as one writes it with PyTorch alone, changes included."""
    examples, batch = pictures.data.examples["train"], pictures.settings.batch_size
    rows = range(batch * steps)
    whole = torch.from_numpy(np.stack([examples.pictures[row] for row in rows]))
    labels = torch.from_numpy(examples.labels[: batch * steps]).long()
    optimizer = torch.optim.SGD(model.train().parameters(), lr=0.1, momentum=0.9, fused=True)
    start = time.process_time()
    for first in range(0, batch * steps, batch):
        some = slice(first, first + batch)
        images = changed(whole[some].permute(0, 3, 1, 2).float() / 255 - 0.5)
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            loss = cross_entropy(model(images), labels[some])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss.item()
    return batch * steps / (time.process_time() - start)


def changed(images: Tensor) -> Tensor:
    """Cut and mirrored at random, each picture for itself."""
    padded, found = pad(images, (PADDING,) * 4), torch.empty_like(images)
    moved = torch.randint(2 * PADDING + 1, (len(images), 2)).tolist()
    mirrored = torch.randint(2, (len(images),)).tolist()
    for row, (down, right) in enumerate(moved):
        cut = padded[row, :, down : down + SIZE, right : right + SIZE]
        found[row] = cut.flip(2) if mirrored[row] else cut
    return found


def by_regard(pictures: Pictures, model: nn.Module, steps: int, precision: str) -> float:
    """Pictures a second of `regard.train`; what comes before and after the updates is left out."""
    seconds = []
    for count in (2, 2 + steps):
        with tempfile.TemporaryDirectory() as folder:
            there, start = replace(pictures, out=Path(folder)), time.process_time()
            there.trained(model, "run", steps=count, precision=precision)
            seconds.append(time.process_time() - start)
    return steps * pictures.settings.batch_size / (seconds[1] - seconds[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    pictures = Pictures.read(options.data, options.batch, Path())
    rows = []
    for precision, lying in (
        ("fp32", torch.contiguous_format),
        ("fp32", torch.channels_last),
        ("bf16", torch.channels_last),
    ):
        found: dict[str, list[float]] = {"regard": [], "by_hand": []}
        for _ in range(options.rounds):
            for name, loop in (("regard", by_regard), ("by_hand", by_hand)):
                model = network(None).to(memory_format=lying)
                found[name].append(loop(pictures, model, options.steps, precision))
        row = {name: statistics.median(each) for name, each in found.items()}
        ratio = row["regard"] / row["by_hand"]
        rows.append({"precision": precision, "layout": str(lying), **row, "ratio": ratio})
        save("cifar", rows)
        print(rows[-1], flush=True)


if __name__ == "__main__":
    main()

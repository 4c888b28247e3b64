"""What do attention blocks over all pairs of places cost, in time and in memory?

Non-local (scaled, embedded Gaussian; and the dot product) against mmcv's, DANet's attention to
positions against pytorchcv's: 128 channels, one image, maps of 32² to 128² places, float32, forward
and (up to 96²) with backward, with equal weights and equal results first. All pairs of a 128² map
are a gigabyte. The peers are in `peers.txt`.

    python -m benchmarks.vision_pairs [--seconds 2] [--sides 32,64,96,128]
"""

import argparse
import warnings
from collections.abc import Callable
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from benchmarks.measure import forget_high_water, peak_bytes, save, side_by_side
from regard.vision import DualPositionAttention, NonLocal

Row = dict[str, Any]
CHANNELS = 128
BACKWARD_UP_TO = 96
SMALL_SIDE = 32
"""Of the map that is run first; one of 4² takes other kernels, which import less."""
BLOCKS = ("non_local", "non_local dot", "dual_position")
NAMES = {
    "theta.conv": "theta",
    "phi.conv": "phi",
    "g.conv": "g",
    "conv_out.conv": "out",
    "query_conv": "query",
    "key_conv": "key",
    "value_conv": "value",
}


def blocks(name: str) -> tuple[nn.Module, nn.Module]:
    """Ours and theirs, with the same weights."""
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if name == "dual_position":
            from pytorchcv.models.danet import PosAttBlock

            ours, theirs = DualPositionAttention(CHANNELS), PosAttBlock(CHANNELS)
        else:
            from mmcv.cnn.bricks.non_local import NonLocal2d

            dot = name == "non_local dot"
            ours = NonLocal(CHANNELS, pair="dot" if dot else "embedded_gaussian", norm=False)
            mode = "dot_product" if dot else "embedded_gaussian"
            theirs = NonLocal2d(CHANNELS, mode=mode, zeros_init=False)
    here = dict(ours.named_parameters())
    with torch.no_grad():
        for path, weight in theirs.named_parameters():
            module, _, leaf = path.rpartition(".")
            if path == "scale.alpha":
                weight.fill_(0.5)
                here["alpha"].fill_(0.5)
            elif (same := here.get(f"{NAMES[module]}.{leaf}")) is not None:
                weight.normal_(std=0.05)
                same.copy_(weight.reshape(same.shape))
    return ours, theirs


def passes(block: nn.Module, x: Tensor, gradient: bool) -> Callable[[], Tensor]:
    """One pass, or one and back."""

    def forward() -> Tensor:
        with torch.no_grad():
            return block(x)

    def backward() -> Tensor:
        y = block(x)
        y.sum().backward()
        return y.detach()

    return backward if gradient else forward


def grown(name: str, side: int, gradient: bool, is_ours: bool) -> Callable[[], Tensor]:
    """The same in a fresh process, what the first of all calls imports behind it."""
    torch.set_num_threads(1)
    block = blocks(name)[0 if is_ours else 1]
    first = min(side, SMALL_SIDE)
    passes(block, torch.randn(1, CHANNELS, first, first, requires_grad=gradient), gradient)()
    block.zero_grad()
    run = passes(block, torch.randn(1, CHANNELS, side, side, requires_grad=gradient), gradient)
    forget_high_water()
    return run


def measured(name: str, side: int, gradient: bool, seconds: float) -> Row:
    ours, theirs = blocks(name)
    x = torch.randn(1, CHANNELS, side, side, requires_grad=gradient)
    run = [passes(block, x, gradient) for block in (ours, theirs)]
    torch.testing.assert_close(run[0](), run[1](), rtol=1e-4, atol=1e-5)
    row: Row = {"block": name, "side": side, "passes": "both" if gradient else "forward"}
    row |= side_by_side(*run, seconds)
    peaks = [peak_bytes(grown, name, side, gradient, is_ours) for is_ours in (True, False)]
    return row | {
        "ours_peak_mb": peaks[0] / 1e6,
        "theirs_peak_mb": peaks[1] / 1e6,
        "peak_ratio": peaks[1] / max(1, peaks[0]),
    }


def table(rows: list[Row]) -> Table:
    shown = Table("block", "side", "passes", "ours", "theirs", "faster", "MB", "theirs", "less")
    for row in rows:
        shown.add_row(
            row["block"], str(row["side"]), row["passes"],
            f"{row['ours_s']:.4f} s", f"{row['theirs_s']:.4f} s", f"{row['ratio']:.2f}x",
            f"{row['ours_peak_mb']:.0f}", f"{row['theirs_peak_mb']:.0f}",
            f"{row['peak_ratio']:.1f}x",
        )  # fmt: skip
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=2.0, help="for each timing")
    parser.add_argument("--sides", default="32,64,96,128")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for name in BLOCKS:
        for side in map(int, options.sides.split(",")):
            for gradient in (False, True)[: 1 + (side <= BACKWARD_UP_TO)]:
                rows.append(measured(name, side, gradient, options.seconds))
                save("vision_pairs", rows)
                print(rows[-1], flush=True)
    Console().print(table(rows))


if __name__ == "__main__":
    main()

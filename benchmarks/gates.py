"""How fast are gates of channels and places, and how far from what memory allows?

SE, ECA and CBAM against timm's, CBAM against pytorchcv's too, GC against mmcv's: with equal weights
and equal results first, forward and with backward, in training mode, float32. The floor is what
reading and writing the maps takes where they do not fit into a cache: forward they are read once
for the numbers that gates are made of and once to be gated, and written (CBAM has to read them once
more, for its places); backward the gradient and they are read for those numbers, the gradient is
read again and one is written. It is measured with a sum, a dot product and a scaling of equal
tensors into new memory, whose pages cost more than what is written there. All in
processor time. The peers are in `peers.txt`.

    python -m benchmarks.gates [--seconds 2]
"""

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import process_time
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from benchmarks.measure import median_seconds, save, side_by_side
from regard.vision import block
from tests.peers.peer import module_of, timm_layer

Row = dict[str, Any]
SHAPES = ((16, 256, 56, 56), (32, 256, 14, 14))
"""Maps of 51 and of 6 MB."""


@dataclass(frozen=True)
class Peer:
    """A block of another library's.

    Args:
        library: its name.
        block: what it is called here.
        make: makes it for maps of so many channels.
        names: of their layers → of ours.
        swapped: our weight that reads two maps in the other order.
    """

    library: str
    block: str
    make: Callable[[int], nn.Module]
    names: Mapping[str, str]
    swapped: str = ""


PEERS = (
    Peer(
        "timm",
        "se",
        lambda channels: timm_layer("squeeze_excite").SEModule(channels, rd_divisor=1),
        {"fc1": "squeeze", "fc2": "excite"},
    ),
    Peer(
        "timm",
        "eca",
        lambda channels: timm_layer("eca").EcaModule(channels),
        {"conv": "convolution"},
    ),
    Peer(
        "timm",
        "cbam",
        lambda channels: timm_layer("cbam").CbamModule(channels, mlp_bias=True),
        {
            "channel.fc1": "channel.squeeze",
            "channel.fc2": "channel.excite",
            "spatial.conv.conv": "spatial.convolution",
            "spatial.conv.bn": "spatial.norm",
        },
        swapped="spatial.convolution.weight",
    ),
    Peer(
        "pytorchcv",
        "cbam",
        lambda channels: module_of("pytorchcv.models.cbamresnet").CbamBlock(channels),
        {
            "ch_gate.mlp.fc1": "channel.squeeze",
            "ch_gate.mlp.fc2": "channel.excite",
            "sp_gate.conv.conv": "spatial.convolution",
            "sp_gate.conv.bn": "spatial.norm",
        },
    ),
    Peer(
        "mmcv",
        "gc",
        lambda channels: module_of("mmcv.cnn").ContextBlock(channels, ratio=1 / 16),
        {"conv_mask": "score"} | {f"channel_add_conv.{n}": f"added.{n}" for n in (0, 1, 3)},
    ),
)


def pair(peer: Peer, channels: int) -> tuple[nn.Module, nn.Module]:
    """Ours and theirs, with the same weights."""
    torch.manual_seed(0)
    ours, theirs = block(peer.block, channels), peer.make(channels)
    here = dict(ours.named_parameters())
    with torch.no_grad():
        for path, weight in theirs.named_parameters():
            module, _, leaf = path.rpartition(".")
            name = f"{peer.names[module]}.{leaf}"
            if name in here:  # A bias of scores has no counterpart: a softmax takes it away.
                weight.normal_(std=0.3)
                same = weight.flip(1) if name == peer.swapped else weight
                here[name].copy_(same.reshape(here[name].shape))
    return ours, theirs


def passes(made: nn.Module, x: Tensor, slope: Tensor | None) -> Callable[[], Tensor]:
    """One pass, or one and back."""

    def forward() -> Tensor:
        with torch.no_grad():
            return made(x)

    def backward() -> Tensor:
        made.zero_grad()
        x.grad = None
        y = made(x)
        y.backward(slope)
        return y.detach()

    return forward if slope is None else backward


def floor(x: Tensor, times: int, is_backward: bool) -> float:
    """Seconds that reading and writing the maps takes at least.

    Args:
        times: how often they are read before they are gated.
    """
    flat, other = x.detach().flatten(), torch.randn(x.numel())

    def run() -> None:
        for _ in range(times):
            flat.sum()
        torch.mul(flat, 0.5)
        if is_backward:
            torch.dot(flat, other)
            torch.mul(other, 0.5)

    return median_seconds(run, 9, process_time)


def measured(peer: Peer, shape: tuple[int, ...], gradient: bool, seconds: float) -> Row:
    ours, theirs = pair(peer, shape[1])
    x = torch.randn(shape, requires_grad=gradient)
    slope = torch.randn(shape) if gradient else None
    run = [passes(made, x, slope) for made in (ours, theirs)]
    torch.testing.assert_close(run[0](), run[1](), rtol=1e-4, atol=1e-4)
    least = floor(x, 2 if peer.block == "cbam" else 1, gradient)
    timed = side_by_side(*run, seconds, process_time)
    row: Row = {"block": peer.block, "against": peer.library, "shape": [*shape]}
    row |= {"passes": "both" if gradient else "forward", **timed}
    return row | {"floor_s": least, "over_floor": row["ours_s"] / least}


def table(rows: list[Row]) -> Table:
    shown = Table(
        "block", "against", "maps", "passes", "ours", "theirs", "faster", "over the floor"
    )
    for row in rows:
        shown.add_row(
            row["block"], row["against"], "x".join(map(str, row["shape"])), row["passes"],
            f"{1e3 * row['ours_s']:.2f} ms", f"{1e3 * row['theirs_s']:.2f} ms",
            f"{row['ratio']:.2f}x", f"{row['over_floor']:.2f}x",
        )  # fmt: skip
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=2.0, help="for each timing")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for shape in SHAPES:
        for peer in PEERS:
            for gradient in (False, True):
                rows.append(measured(peer, shape, gradient, options.seconds))
                save("gates", rows)
    Console().print(table(rows))


if __name__ == "__main__":
    main()

"""The options of `regard bench`."""

import argparse
from pathlib import Path

from regard.cli.options.values import lengths, positive, positive_integer

PART_OPTIONS = {
    "score": "the score, such as additive",
    "score_mod": "the score modification, such as alibi",
    "mask": 'the mask, such as "causal & sliding_window(128)"',
    "normalizer": 'the normalizer, such as "entmax(1.5)"',
    "backend": "the backend, such as chunked",
}
"""The options of `regard bench` that name parts."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Say what the verb does, and add its options."""
    parser.description = (
        "Measure speed, memory and accuracy of mechanisms on this machine, next to PyTorch's "
        "kernel or the definition and next to the machine's lower bound. Each is compared with "
        "float64 before it is timed; timings alternate."
    )
    parser.epilog = (
        "examples:\n"
        '  regard bench additive "entmax(1.5)" "causal & sliding_window(128)" --backward\n'
        '  regard bench "additive + causal" general --lengths 256,512 --chart bench.svg\n'
        "  regard bench --mask causal --backend sdpa --backend chunked\n"
        "  regard bench se cbam --lengths 3136"
    )
    parser.add_argument(
        "mechanisms",
        nargs="*",
        metavar="MECHANISM",
        help="names of parts joined by +, or a vision block; other parts are the defaults "
        "(default: six different mechanisms)",
    )
    for name, what in PART_OPTIONS.items():
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            dest=f"parts:{name}",
            action="append",
            default=[],
            metavar="NAME",
            help=f"{what}; if repeated, every combination is measured",
        )
    sizes = parser.add_argument_group("sizes")
    sizes.add_argument(
        "--lengths",
        type=lengths,
        default=[512, 1024, 2048],
        metavar="N,N",
        help="keys, and queries; for a block, the places of a square map (default: 512,1024,2048)",
    )
    for name, usual, what in (
        ("batch", 1, "sequences"),
        ("heads", 8, "query heads"),
        ("kv_heads", None, "key/value heads, a divisor of --heads (default: the same)"),
        ("queries", None, "queries of a call, 1 as in decoding (default: as many as keys)"),
        ("width", 64, "width of a head"),
    ):
        sizes.add_argument(
            f"--{name.replace('_', '-')}",
            dest=f"sizes:{name}",
            type=positive_integer,
            default=usual,
            metavar="N",
            help=what if usual is None else f"{what} (default: {usual})",
        )
    sizes.add_argument(
        "--dtype",
        dest="sizes:dtype",
        default="float32",
        metavar="TYPE",
        help="float32, bfloat16, float16 or float64 (default: %(default)s)",
    )
    sizes.add_argument(
        "--device",
        dest="sizes:device",
        default="cpu",
        metavar="NAME",
        help="cpu or cuda (default: %(default)s)",
    )
    parser.add_argument(
        "--backward", action="store_true", help="measure forward and backward together, too"
    )
    parser.add_argument(
        "--threads", type=positive_integer, metavar="N", help="(default: PyTorch's choice)"
    )
    parser.add_argument(
        "--seconds",
        type=positive,
        help="time to measure; a call that would exceed it is skipped (default: 20, with --tune "
        "60)",
    )
    parser.add_argument(
        "--tune",
        action="store_true",
        help="measure this machine's rates for the operations that kernels consist of, and save "
        "them: from then on the planner uses these rates",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers")
    parser.add_argument("--chart", type=Path, metavar="FILE", help="draw them, such as bench.svg")

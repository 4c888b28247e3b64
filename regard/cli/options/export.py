"""The options of `regard export`."""

import argparse
from pathlib import Path


def add_options(parser: argparse.ArgumentParser) -> None:
    """Say what the verb does, and add its options."""
    parser.description = (
        "Export a trained network for other programs, from token ids to its answer, and compare "
        "the file's outputs with the network's. A .json file next to it describes the inputs and "
        "outputs."
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a run")
    parser.add_argument(
        "--format",
        dest="form",
        choices=("onnx", "torch-export", "safetensors"),
        default="onnx",
        help="an ONNX file, a torch.export program, or a folder of weights and configuration "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="(default: in the folder export of the run)"
    )
    parser.add_argument(
        "--check",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="run the exported file and print the largest difference (default: --check)",
    )

"""The options of `regard convert`."""

import argparse
from pathlib import Path


def add_options(parser: argparse.ArgumentParser) -> None:
    """Say what the verb does, and add its options."""
    parser.description = (
        "Make a folder of safetensors, which regard.load reads, of an old Hugging Face folder with "
        "pytorch_model.bin. A pickle can run programs: only names and tensors are read, by "
        "torch.load(weights_only=True), and a file that holds anything else is refused. Of a GGUF "
        "file the weights become float32, so that regard train --from can begin with them."
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="the old folder, or a GGUF file")
    parser.add_argument("out", type=Path, metavar="OUT", help="the new one")
    parser.add_argument(
        "--family",
        metavar="NAME",
        help="such as bert, if config.json has no model_type (default: from the tensor names)",
    )

"""The packages that training on one's own data needs, imported when first used."""

import importlib
import os
from typing import Any

_NEEDED_FOR = {
    "datasets": "reading your own data",
    "pyarrow": "reading your own data",
    "charset_normalizer": "reading a file that is not in UTF-8",
    "tokenizers": "training a tokenizer",
    "openpyxl": "reading an Excel file",
    "PIL": "reading pictures",
    "matplotlib": "drawing figures",
    "sacrebleu": "measuring translations",
    "rouge_score": "measuring texts by ROUGE",
    "huggingface_hub": "downloading from the Hub",
    "onnx": "exporting to ONNX",
    "onnxscript": "exporting to ONNX",
    "onnxruntime": "running an ONNX file",
    "starlette": "serving a page",
    "uvicorn": "serving a page",
}
_EXTRA_OF = {
    "openpyxl": "excel",
    "PIL": "image",
    "matplotlib": "plot",
    "huggingface_hub": "hub",
    "onnx": "onnx",
    "onnxscript": "onnx",
    "onnxruntime": "onnx",
    "starlette": "serve",
    "uvicorn": "serve",
}
"""Packages that are not in the extra `train`, and the one they are in."""


def extra(name: str) -> Any:
    """The module `name` of the extra `train`, or of one that few need.

    Raises `ImportError` with the line to install it.
    """
    # Set, this keeps `tokenizers` from warning about every fork; see `tokenizer.threads`.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    try:
        return importlib.import_module(name)
    except ImportError:
        package = name.split(".")[0]
        raise ImportError(
            f"{_NEEDED_FOR[package]} needs the package {package}, which is not installed; "
            f'install it with: pip install "regard[{_EXTRA_OF.get(package, "train")}]"'
        ) from None

"""The packages that training on one's own data needs, imported when first used."""

import importlib
import os
from typing import Any

_NEEDED_FOR = {
    "datasets": "reading your own data",
    "pyarrow": "reading your own data",
    "tokenizers": "training a tokenizer",
}


def extra(name: str) -> Any:
    """The module `name` of the extra `train`.

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
            'install it with: pip install "regard[train]"'
        ) from None

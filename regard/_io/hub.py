"""Folders of the Hugging Face Hub, downloaded on request and never otherwise."""

import re
from pathlib import Path

from regard._io.extra import extra
from regard._printable import shown

PREFIX = "hf:"
_WORD = r"[A-Za-z0-9][A-Za-z0-9._-]*"
NAME = re.compile(rf"{_WORD}(/{_WORD})?(@[A-Za-z0-9._/-]+)?")
READ = ("*.json", "*.safetensors", "vocab.txt", "merges.txt", "*.model")
"""The files of a model's folder that are read here; no pickle is downloaded."""


def local(path: str | Path) -> Path:
    """A path as it is, or the folder that `hf:owner/name` or `hf:owner/name@revision` stands for.

    Downloads go into the Hub's own cache, and are there for the next time. A plain path is never a
    network call.

    Raises `ValueError` for what is no name there, and `OSError` where it cannot be had.

    >>> local("runs/mine")
    PosixPath('runs/mine')
    """
    text = str(path)
    if not text.startswith(PREFIX):
        return Path(path)
    name = text.removeprefix(PREFIX)
    if not NAME.fullmatch(name):
        raise ValueError(f"{shown(text)} is no name on the Hub; write hf:owner/name")
    hub = extra("huggingface_hub")
    repository, _, revision = name.partition("@")
    try:
        found = hub.snapshot_download(
            repository, revision=revision or None, allow_patterns=list(READ)
        )
    except hub.errors.RepositoryNotFoundError:
        raise FileNotFoundError(f"the Hub has no model {repository}") from None
    except Exception as error:  # The Hub has many, some of them no OSError.
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise OSError(f"{text} could not be downloaded: {reason}") from error
    return Path(found)

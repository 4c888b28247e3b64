"""The sizes of an RNNsearch network."""

import json
from dataclasses import asdict, dataclass, fields

from regard._files import read_json

_LIMITS = {"source_vocab": 1_000_000, "target_vocab": 1_000_000}
_WIDEST = 65_536


@dataclass(frozen=True, kw_only=True)
class RNNsearchConfig:
    """The sizes that define an RNNsearch network; all are positive integers.

    The paper's are 30 000 words on both sides, embeddings of 620, 1000 hidden units each in both
    directions, in the decoder and in the alignment, and 500 maxout units.

    Args:
        source_vocab: number of different source tokens.
        target_vocab: number of different target tokens.
        embed_dim: width of the embeddings.
        hidden_dim: width of the encoder, of each direction; an annotation has twice as much.
        state_dim: width of the decoder's state.
        align_dim: width of the hidden layer that scores an alignment.
        maxout_dim: width of the deep output, after the maximum over pairs.

    Raises `TypeError` for a size that is no integer and `ValueError` for one out of bounds.

    >>> RNNsearchConfig(source_vocab=30_000, target_vocab=30_000, embed_dim=620, hidden_dim=1000,
    ...                 state_dim=1000, align_dim=1000, maxout_dim=500).state_dim
    1000
    """

    source_vocab: int
    target_vocab: int
    embed_dim: int
    hidden_dim: int
    state_dim: int
    align_dim: int
    maxout_dim: int

    def __post_init__(self) -> None:
        for name, size in asdict(self).items():
            limit = _LIMITS.get(name, _WIDEST)
            if type(size) is not int:
                raise TypeError(f"{name} must be an integer, got {size!r}")
            if not 1 <= size <= limit:
                raise ValueError(f"{name} must be between 1 and {limit}, got {size}")

    @classmethod
    def from_json(cls, text: str) -> "RNNsearchConfig":
        """Read what `to_json` wrote.

        Raises `ValueError` unless every key is there and no other, `TypeError` and `ValueError` as
        the constructor.
        """
        entries = read_json(text)
        if not isinstance(entries, dict) or entries.pop("model_type", None) != "rnnsearch":
            raise ValueError('this is not the configuration of an "rnnsearch" model')
        names = {field.name for field in fields(cls)}
        if entries.keys() != names:
            missing, unknown = sorted(names - entries.keys()), sorted(entries.keys() - names)
            raise ValueError(f"the configuration lacks {missing} and has unknown keys {unknown}")
        return cls(**entries)

    def to_json(self) -> str:
        """Write the sizes and the model's name."""
        return json.dumps({"model_type": "rnnsearch", **asdict(self)}, indent=2) + "\n"

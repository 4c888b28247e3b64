"""A small date task, its network new."""

from typing import Any

import torch

from regard.models.rnnsearch import RNNsearch, RNNsearchConfig, Search
from regard.tasks.dates import DateReader, Dates, DatesSettings


def network(source_vocab: int, target_vocab: int, **_: Any) -> RNNsearch:
    """A network of half the width of the recipe's."""
    sizes = {"embed_dim": 32, "hidden_dim": 48, "maxout_dim": 24, "dropout": 0.0}
    vocab = {"source_vocab": source_vocab, "target_vocab": target_vocab}
    return RNNsearch(RNNsearchConfig(**vocab, **sizes, attention=Search(attention_dim=16)))


def small_task(*languages: str, **settings: Any) -> Dates:
    """Dates in these languages."""
    torch.manual_seed(0)
    return Dates(None, network, DatesSettings(languages=languages, **settings))


def small_reader(*languages: str) -> DateReader:
    """A reader of dates in these languages that has learned nothing."""
    reader: DateReader = small_task(*languages).predictor
    reader.model.eval()
    return reader

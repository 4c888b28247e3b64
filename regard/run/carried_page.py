"""A page in which a trained network runs, without Python."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from regard._io.faults import writing
from regard._io.files import write_whole
from regard.models.rnnsearch import RNNsearch
from regard.run.asked_network import of_predictor
from regard.run.viewing import view_of
from regard.tasks.dates.predictor import DateReader
from regard.tasks.predictor import Predictor
from regard.view.attention_page import attention_page
from regard.view.carried import CarriedNetwork, carrying

KIND = "rnnsearch"
SCORE, NORMALIZER = "additive", "softmax"


def carried_network(predictor: Predictor, examples: Sequence[str]) -> CarriedNetwork | None:
    """A network for a page, if the page has code for it: RNNsearch for dates.

    None for every other network, and if its attention is not the additive score with softmax.
    """
    model: Any = predictor.model
    if not isinstance(predictor, DateReader) or not isinstance(model, RNNsearch):
        return None
    attention: Any = model.config.attention
    if (getattr(attention, "score", None), getattr(attention, "normalizer", None)) != (
        SCORE,
        NORMALIZER,
    ):
        return None
    coder = predictor.coder
    return CarriedNetwork(
        KIND,
        dict(model.named_parameters()),
        coder.source.tokens,
        coder.target.tokens,
        coder.longest,
        coder.max_length,
        examples,
    )


def carried_page(predictor: Predictor, examples: Sequence[str], name: str = "") -> str:
    """A page that shows the network's answer to the first example, and answers typed input.

    If a page cannot run the network, it shows only the first example.
    """
    made = view_of(of_predictor(predictor, examples[0]), name).document()
    made.head["about"]["title"] = examples[0]
    network = carried_network(predictor, examples)
    if network is not None:
        made = carrying(made, network)
    return attention_page([made], title=name or examples[0])


def save_carried_page(
    path: Path, predictor: Predictor, examples: Sequence[str], name: str = ""
) -> None:
    """Write the page as one file, atomically; raises `OSError` if it cannot be written."""
    content = carried_page(predictor, examples, name).encode("utf-8")
    with writing(path):
        write_whole(path, content)

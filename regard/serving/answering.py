"""A network that answers the questions of a page, one after the other."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from regard.errors import UsageError
from regard.explain import ablated, head_effects
from regard.run.asked_network import AskedNetwork, open_network
from regard.run.viewing import view_of
from regard.serving.question import Question, Without
from regard.view.attention_view import View
from regard.view.document import Findings
from regard.view.run_log import read_run

Progress = Callable[[int, int], None]
"""Is told how much of how much is done."""
MOST_EXAMPLES = 12
EFFECT = "how far the output turns without this head, 1 - cos"


class Answering:
    """Answers questions about one network, which is read once. Not for several threads at once.

    Raises what `regard.load` does of the path.
    """

    def __init__(self, path: str | Path) -> None:
        self.name = Path(path).name or str(path)
        self.network = open_network(path)
        self.examples = () if self.network.of_pictures else _examples(Path(path))

    def about(self) -> dict[str, Any]:
        """What a page must know before it asks."""
        takes = "picture" if self.network.of_pictures else "text"
        return {
            "name": self.name,
            "takes": takes,
            "languages": list(self.network.languages),
            "examples": list(self.examples),
        }

    def answer(self, question: Question, progress: Progress) -> dict[str, Any]:
        """The answer with its attention, as the page reads it.

        Raises `UsageError` for what cannot be asked, and for layers and heads that are not there.
        """
        asked = self.network.ask(question.given)
        said: dict[str, Any] = {}
        with ExitStack() as stack:
            if question.without is not None:
                said["before"] = asked.answer
                said["change"] = _turns(asked, question.without)[0]
                stack.enter_context(_gone(asked.model, question.without))
                asked = self.network.ask(question.given)
            made = view_of(asked, self.name, layers=question.layers)
            if question.effects:
                effects = _effects(asked, made, progress)
                made = replace(made, findings=Findings(effects=effects, effect=EFFECT))
            # Weights are computed here, while the head is still gone.
            written = made.document()
        if isinstance(question.given, str):
            written.head["about"]["title"] = question.given
        said["answer"] = asked.answer
        # What was written stands for the queries; any other answer stands by itself.
        wrote = bool(asked.outputs) and tuple(made.queries or ()) == tuple(asked.outputs)
        said["letters"] = list(asked.outputs) if wrote else [asked.answer] * bool(asked.answer)
        return {**said, "document": written.head, "blocks": list(written.blocks)}


def _examples(folder: Path) -> tuple[str, ...]:
    """The texts that a run was always asked while it was trained; none where it is no run."""
    try:
        looks = read_run(folder).samples
    except (FileNotFoundError, OSError):
        return ()
    samples = looks[-1]["samples"] if looks else []
    asked = [each.get("input") for each in samples if isinstance(each, dict)]
    return tuple(each for each in asked if isinstance(each, str) and each.strip())[:MOST_EXAMPLES]


@contextmanager
def _gone(model: Any, without: Without) -> Iterator[None]:
    """The network without a head; raises `UsageError` where there is none such."""
    try:
        with ablated(model, {_module(model, without.layer): [without.head]}, of=without.of):
            yield
    except (ValueError, TypeError, IndexError, RuntimeError) as error:
        raise UsageError(str(error)) from None


def _module(model: Any, layer: str) -> str:
    """The name of a module by that of a map: a network that attends itself is named by its type."""
    known = dict(model.named_modules())
    return "" if layer not in known and layer == type(model).__name__ else layer


def _effects(asked: AskedNetwork, made: View, progress: Progress) -> Tensor:
    """How far the output turns without each head, `[layers, heads]`, NaN where it has fewer.

    A module that attends several times is taken out of all its calls at once.
    """
    heads = {each.name: each.shape[1] for each in made.maps}
    done, total = 0, sum(heads.values())
    turns: dict[str, list[float]] = {}
    for name, count in heads.items():
        turns[name] = []
        for head in range(count):
            progress(done, total)
            turns[name] += _turns(asked, Without(name, head, count))
            done += 1
    effects = torch.full((len(made.maps), max(heads.values())), torch.nan)
    for row, each in enumerate(made.maps):
        effects[row, : each.shape[1]] = torch.tensor(turns[each.name])
    return effects


def _turns(asked: AskedNetwork, without: Without) -> list[float]:
    """How far the states that the network gives turn without a head, on average."""
    try:
        found = head_effects(
            asked.model,
            asked,
            lambda _: torch.zeros(()),
            {_module(asked.model, without.layer): [without.head]},
            of=without.of,
        )
    except (ValueError, TypeError, IndexError, RuntimeError) as error:
        raise UsageError(str(error)) from None
    return [float(each.distance.mean()) for each in found]

"""Text continuation: all at once (`write`) or streamed (`stream`)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from regard._printable import shown
from regard.generation.asked import MOST_BEAMS, seeds, whole
from regard.generation.beam import NextBeams, beam_search
from regard.generation.decode import NextTokens, decode, most_probable
from regard.generation.filters import Filters
from regard.generation.hypothesis import Ends, ends_of
from regard.generation.row_seeds import RowSeeds
from regard.generation.text_pieces import TextPieces
from regard.sequences import Sequences


@dataclass(frozen=True)
class Greedy:
    """Greedy decoding: the most probable token at each step.

    Args:
        filters: applied to the logits first, such as `RepetitionPenalty(1.2)`.
    """

    filters: Filters = ()


@dataclass(frozen=True)
class Sample:
    """Tokens sampled from the filtered logits.

    Args:
        filters: such as `(Temperature(0.8), KeepTopP(0.9))`.
        seed: shared by all texts, so that each is the same alone and in a batch; or one for each.
    """

    filters: Filters = ()
    seed: int | Sequence[int] = 0


@dataclass(frozen=True)
class Beams:
    """The best text found by beam search (see `beam_search`)."""

    beams: int = 4
    length_penalty: float | None = None
    filters: Filters = ()


def write(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[str],
    how: Greedy | Sample | Beams = Greedy(),
    *,
    max_new_tokens: int = 100,
    stop: Sequence[str] = (),
    end: Ends = None,
) -> list[str]:
    """Continue texts, and return the continuations.

    Texts of different lengths are batched; the result for one does not depend on the others. The
    token that a network begins its texts with is put before each prompt if its tokenizer does so,
    as LLaMA's with `<s>`; an empty prompt is then one, too.

    Args:
        model: a network that continues texts, such as `GptLM`.
        tokenizer: its tokenizer.
        how: greedy decoding, sampling, or beam search.
        max_new_tokens: maximum number of tokens, including the end token.
        stop: strings; a text ends before the first of them.
        end: the tokens that end a text; those of the network's configuration if None.

    Raises `ValueError` for an empty prompt, and for no tokens to generate.

    >>> from regard.data.encoding.tokenizer import Tokenizer
    >>> from regard.models.gpt import GptLM, GptLMConfig
    >>> tokenizer = Tokenizer.train(["ein Hund", "ein Haus"], "characters")
    >>> config = GptLMConfig(vocab=len(tokenizer), embed_dim=8, num_heads=2, layers=1)
    >>> texts = write(GptLM(config).eval(), tokenizer, ["ein H", "e"], max_new_tokens=5)
    >>> len(texts)
    2
    """
    most = whole("max_new_tokens", max_new_tokens, 1)
    rows, ends = _read(model, tokenizer, prompts), _ends(model, end)
    if not rows:
        return []
    encoded = _encoded(model, rows)
    asked: dict[str, Any] = {"end": ends, "max_length": most}
    written = _Written(tokenizer, rows, stop, ends)
    if isinstance(how, Beams):
        beams = whole("beams", how.beams, 1, MOST_BEAMS)
        texts = _BeamTexts(tokenizer, rows, stop, ends, beams)
        found = beam_search(
            model,
            encoded,
            how.filters,
            begin=encoded.last,
            beams=beams,
            length_penalty=how.length_penalty,
            finished=texts.take if stop else None,
            **asked,
        )
        return [written.of(row, best.tokens) for row, (best, *_) in enumerate(found)]
    for _ in _steps(model, encoded, how, len(rows), finished=written.take, **asked):
        pass
    return written.ended()


def stream(
    model: Any,
    tokenizer: Any,
    prompt: str,
    how: Greedy | Sample = Greedy(),
    *,
    max_new_tokens: int = 100,
    stop: Sequence[str] = (),
    end: Ends = None,
) -> Iterator[str]:
    """Continue a text, yielding pieces that together are what `write` returns.

    No piece ends within a character, and none contains the beginning of a stop string.

    >>> from regard.data.encoding.tokenizer import Tokenizer
    >>> from regard.models.gpt import GptLM, GptLMConfig
    >>> tokenizer = Tokenizer.train(["ein Hund", "ein Haus"], "characters")
    >>> config = GptLMConfig(vocab=len(tokenizer), embed_dim=8, num_heads=2, layers=1)
    >>> model = GptLM(config).eval()
    >>> pieces = list(stream(model, tokenizer, "ein H", max_new_tokens=5))
    >>> "".join(pieces) == write(model, tokenizer, ["ein H"], max_new_tokens=5)[0]
    True
    """
    if not isinstance(prompt, str):
        raise TypeError(f"stream continues one text, got {shown(prompt)}; write takes several")
    if isinstance(how, Beams):
        raise TypeError("a beam search knows its text at the end alone: use write")
    most = whole("max_new_tokens", max_new_tokens, 1)
    rows, ends = _read(model, tokenizer, [prompt]), _ends(model, end)
    written = _Written(tokenizer, rows, stop, ends)
    asked = {"end": ends, "max_length": most, "finished": written.take}
    return _pieces(_steps(model, _encoded(model, rows), how, 1, **asked), written)


def _pieces(steps: Iterator[NextTokens], written: "_Written") -> Iterator[str]:
    for _ in steps:
        if written.news[0]:
            yield written.news[0]
    if rest := written.pieces[0].rest():
        yield rest


class _BeamTexts:
    """What each beam has written behind each prompt."""

    def __init__(
        self,
        tokenizer: Any,
        rows: list[list[int]],
        stop: Sequence[str],
        ends: tuple[int, ...],
        beams: int,
    ) -> None:
        self.pieces = [[TextPieces(tokenizer, row, stop)] * beams for row in rows]
        self.ends = ends

    def take(self, step: NextBeams) -> list[list[bool]]:
        """Read a step, and say which of its beams have come to a stop string."""
        columns = (step.sources.tolist(), step.parent.tolist(), step.tokens.tolist())
        return [self._taken(*each) for each in zip(*columns, strict=True)]

    def _taken(self, source: int, parents: list[int], tokens: list[int]) -> list[bool]:
        now = [self.pieces[source][parent].copy() for parent in parents]
        for pieces, token in zip(now, tokens, strict=True):
            if token not in self.ends:
                pieces.push(token)
        self.pieces[source] = now
        return [pieces.stopped for pieces in now]


class _Written:
    """What has been written behind each prompt."""

    def __init__(
        self, tokenizer: Any, rows: list[list[int]], stop: Sequence[str], ends: tuple[int, ...]
    ) -> None:
        self.pieces = [TextPieces(tokenizer, row, stop) for row in rows]
        self.texts = [""] * len(rows)
        self.news = [""] * len(rows)
        self.ends = ends

    def take(self, step: NextTokens) -> list[bool]:
        """Read a step, and say which of its rows have come to a stop string."""
        rows = step.rows.tolist()
        for row, token in zip(rows, step.tokens.tolist(), strict=True):
            self.news[row] = "" if token in self.ends else self.pieces[row].push(token)
            self.texts[row] += self.news[row]
        return [self.pieces[row].stopped for row in rows]

    def of(self, row: int, tokens: Sequence[int]) -> str:
        """The text of a whole answer."""
        pieces = self.pieces[row]
        return "".join(pieces.push(token) for token in tokens) + pieces.rest()

    def ended(self) -> list[str]:
        """The texts, of which no more will come."""
        return [text + pieces.rest() for text, pieces in zip(self.texts, self.pieces, strict=True)]


def _read(model: Any, tokenizer: Any, prompts: Sequence[str]) -> list[list[int]]:
    """The tokens of each prompt, behind the one that the network begins with."""
    if isinstance(prompts, str):
        raise TypeError(f"prompts must be several texts, got {shown(prompts)}: give it in a list")
    begun = _begun(model, tokenizer)
    rows = [[*begun, *(int(token) for token in row)] for row in tokenizer.encode(list(prompts))]
    for number, row in enumerate(rows, 1):
        if not row:
            raise ValueError(f"text {number} of {len(rows)} is empty; give a beginning")
    return rows


def _begun(model: Any, tokenizer: Any) -> tuple[int, ...]:
    """What a network's texts begin with, if its tokenizer puts that and nothing else before one."""
    begin = getattr(getattr(model, "config", None), "begin", None)
    before = () if begin is None else getattr(getattr(tokenizer, "frame", None), "before", ())
    return (int(begin),) if begin is not None and before == (begin,) else ()


def _ends(model: Any, end: Ends) -> tuple[int, ...]:
    config = getattr(model, "config", None)
    return ends_of(getattr(config, "ends", ()) if end is None else end)


def _encoded(model: Any, rows: list[list[int]]) -> Any:
    """The prompts as the model has read them; raises `TypeError` for one that continues no text."""
    reads = isinstance(model, nn.Module) and hasattr(model, "encode")
    found = model.encode(Sequences.of(rows).to(next(model.parameters()).device)) if reads else None
    if not hasattr(found, "last"):
        raise TypeError(
            f"{type(model).__name__} does not continue texts; give a language model such as GptLM "
            "(a network that reads one text and writes another is asked with greedy or beam_search)"
        )
    return found


def _steps(
    model: Any, encoded: Any, how: Greedy | Sample, rows: int, **asked: Any
) -> Iterator[NextTokens]:
    if isinstance(how, Greedy):
        return most_probable(model, encoded, how.filters, begin=encoded.last, **asked)
    if not isinstance(how, Sample):
        raise TypeError(f"how must be Greedy(), Sample() or Beams(), got {shown(how)}")
    generator = RowSeeds(seeds(how.seed, rows))
    return decode(model, encoded, how.filters, begin=encoded.last, generator=generator, **asked)

"""How a network is called to answer an input, and the names of its tokens."""

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from regard._io.hub import local
from regard.data.encoding.published_tokens import read_tokenizer
from regard.data.encoding.ragged import Ragged
from regard.data.encoding.tokenizer import Tokenizer
from regard.errors import UsageError
from regard.models.continuing import Continuing
from regard.models.gguf import is_gguf, load_gguf, load_tokenizer
from regard.models.published import configuration, load_published
from regard.run.bare_folder import picture_coder, told_by
from regard.run.loading import is_bare, load_predictor, read_model
from regard.sequences import Sequences
from regard.tasks.picture_coder import PictureCoder
from regard.tasks.picture_input import picture_of
from regard.tasks.predictor import Predictor
from regard.tasks.writing import TranslatesSomewhere, write_answers

MOST_WRITTEN = 64
"""Number of tokens that a network without a task generates."""


@dataclass(frozen=True, eq=False)
class AskedNetwork:
    """A network with the one call that shows how it answers an input.

    Args:
        model: the network.
        args: of its call: its input and, if it generates, its output.
        names: the token strings of each argument that is tokens.
        inputs, outputs, weights: the answer's matrix of weights, if any, and its labels.
        answer: its answer.
        picture: what it saw of an image, as a PNG file.
    """

    model: Any
    args: tuple[Any, ...]
    names: tuple[tuple[str, ...], ...]
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    weights: Tensor | None = field(default=None, repr=False)
    answer: str = ""
    picture: bytes | None = field(default=None, repr=False)

    @torch.no_grad()
    def __call__(self) -> Any:
        """The network's output in that call."""
        return self.model(*self.args)


@dataclass(frozen=True, eq=False)
class OpenNetwork:
    """A network that is loaded once, to be queried often.

    Args:
        ask: queries it about an input, as `asked_network` does.
        of_pictures: its inputs are images, not texts.
        languages: of which each text names one, as in `<fr> ...`.
    """

    ask: Callable[[Any], AskedNetwork]
    of_pictures: bool = False
    languages: tuple[str, ...] = ()


def asked_network(path: str | Path, given: Any) -> AskedNetwork:
    """A run, a model folder, a Hugging Face folder or a GGUF file, queried about an input.

    If there is a task, it answers, and the call is that of the network with its own answer. A
    network without a known task reads the text; one that translates generates up to 64 tokens.

    Args:
        given: a text as on the command line, or the path of an image.

    Raises `UsageError` for an input or a network that cannot be queried, and as `regard.load`.
    """
    return open_network(path).ask(given)


def open_network(path: str | Path) -> OpenNetwork:
    """The network of `asked_network`, loaded; raises as `regard.load`."""
    if is_gguf(Path(path)):
        model, tokenizer = load_gguf(Path(path)), load_tokenizer(Path(path))
        return OpenNetwork(partial(_of_text, model, tokenizer))
    return read_model(local(path), _in_folder)


def _in_folder(folder: Path) -> OpenNetwork:
    if not is_bare(folder):
        return _with_task(load_predictor(folder))
    try:
        predictor = load_predictor(folder)
    except ValueError:  # it has no head that answers
        return _body(folder)
    return _with_task(predictor)


def _with_task(predictor: Predictor) -> OpenNetwork:
    coder = predictor.coder
    languages = tuple(getattr(coder, "languages", ()))
    return OpenNetwork(partial(of_predictor, predictor), isinstance(coder, PictureCoder), languages)


def _body(folder: Path) -> OpenNetwork:
    if "channels" in type(configuration(folder)).from_data:
        model = load_published(folder)
        return OpenNetwork(partial(_of_picture, model, picture_coder(folder, model.config)), True)
    tokenizer = read_tokenizer(folder)
    model = load_published(folder, **told_by(folder, tokenizer))
    return OpenNetwork(partial(_of_text, model, tokenizer))


def _of_picture(model: Any, coder: PictureCoder, given: Any) -> AskedNetwork:
    pixels = coder.middle_of(_read(given))
    return AskedNetwork(model, (coder.read([pixels]),), (), picture=_png(pixels))


def of_predictor(predictor: Predictor, given: Any) -> AskedNetwork:
    """A trained network queried about an input; texts are parsed as on the command line."""
    try:
        told = predictor.input_of(given) if isinstance(given, str) else given
    except ValueError as error:
        raise UsageError(str(error)) from None
    with _listening(predictor.model) as calls:
        try:
            (answer,) = predictor.predict([told])
        except (ValueError, TypeError, OSError) as error:
            raise UsageError(str(error)) from None
    picture = None
    if isinstance(predictor.coder, PictureCoder):
        picture = _png(predictor.coder.middle_of(_read(told)))
    args = calls[-1]
    return AskedNetwork(
        predictor.model,
        args,
        _named(predictor.coder, args, answer.inputs),
        answer.inputs,
        answer.outputs,
        answer.weights,
        answer.best,
        picture,
    )


@contextmanager
def _listening(model: Any) -> Iterator[list[tuple[Any, ...]]]:
    """The arguments of the network's calls, the last one that of the weights where it has any.

    `attention_weights` takes what `forward` takes (tests/contracts/test_models.py holds them to
    it), and is asked once it is known what was written.
    """
    calls: list[tuple[Any, ...]] = []
    hook = model.register_forward_pre_hook(lambda _, args: calls.append(args))
    weigh: Any = getattr(model, "attention_weights", None)

    def noted(*args: Any) -> Any:
        found = weigh(*args)
        calls.append(args)
        return found

    if weigh is not None:
        model.attention_weights = noted
    try:
        yield calls
    finally:
        hook.remove()
        if weigh is not None:
            del model.attention_weights


def _named(coder: Any, args: Sequence[Any], read: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """The tokens of each argument that is a sequence of them, the first as the answer has them."""
    known = [getattr(coder, name, None) for name in ("source", "target")]
    if None in known:
        known = [getattr(coder, "tokenizer", None) or getattr(coder, "catalogue", None)] * 2
    found = []
    for number, each in enumerate(args):
        reader, ids = known[min(number, 1)], _ids(each)
        if ids is not None:
            is_read = not number and len(read) == len(ids)
            found.append(read if is_read else _spelled(reader, ids))
    return tuple(found)


def _ids(value: Any) -> list[int] | None:
    """The numbers of the first row, if this is rows of tokens."""
    ids = getattr(value, "ids", value)
    if not isinstance(ids, Tensor) or ids.ndim != 2 or ids.is_floating_point():
        return None
    return [int(each) for each in ids[0]]


def _spelled(reader: Any, ids: list[int]) -> tuple[str, ...]:
    spell = getattr(reader, "tokens", None)
    if not callable(spell):
        spell = getattr(reader, "decode", None)
    try:
        words = None if spell is None else list(spell(ids))
    except (IndexError, ValueError, TypeError):
        words = None
    if words is None or len(words) != len(ids):
        words = [str(each) for each in ids]
    return tuple(map(str, words))


@torch.no_grad()
def _of_text(model: Any, tokenizer: Tokenizer, given: Any) -> AskedNetwork:
    if not isinstance(given, str) or not given.strip():
        raise UsageError("the network reads texts, and this is none: give one in quotes")
    model.eval()
    source = tokenizer.sequences([given])
    read = source.ids[0].tolist()
    if not read:
        raise UsageError("the text has no token that the network knows: give another one")
    args: tuple[Any, ...] = (source,)
    names = (_spelled(tokenizer, read),)
    if isinstance(model, TranslatesSomewhere) and not isinstance(model, Continuing):
        begin = getattr(getattr(model, "config", None), "begin", None)
        begin = tokenizer.begin if begin is None else begin
        limit = np.full(1, MOST_WRITTEN)
        ((best,),) = write_answers(model, Ragged.of([read]), tokenizer, limit, begin=begin)
        written = [begin, *best.tokens]
        args = (Sequences(source.ids), torch.tensor([written]))
        answer = tokenizer.decode(best.tokens)
        return AskedNetwork(model, args, (*names, _spelled(tokenizer, written)), answer=answer)
    return AskedNetwork(model, args, names)


def _read(given: Any) -> np.ndarray:
    try:
        return picture_of(given)[1]
    except (ValueError, TypeError, OSError) as error:
        raise UsageError(str(error)) from None


def _png(pixels: np.ndarray) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()

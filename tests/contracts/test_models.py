"""What every network owes, for all rows of `tests/tables/models.py`; a new network adds some.

Padding does not exist, rows do not know of each other, and whatever can be chosen is chosen in some
row.
"""

import copy
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, Literal, get_args, get_origin

import pytest
import torch
from torch import Tensor, nn

from regard.config import Config, alternatives, fields_of
from regard.layers import AwaitsReward, int8, prepacked
from regard.models import MODELS, model_class, protocols
from regard.sequences import Packed, Sequences
from regard.tasks.auxiliary import forward_sampled
from tests.one_by_one import Law, one_by_one
from tests.tables.models import FIRST, ROWS, Row, alone, filled, take
from tests.tolerance import assert_close_to_golden

PROTOCOLS: dict[str, Any] = {
    "transformer": protocols.Translates,
    "transformer_classifier": protocols.Classifies,
    "transformer_tagger": protocols.Tags,
    "transformer_lm": protocols.Continues,
    "bert": protocols.Encodes,
    "bert_classifier": protocols.Classifies,
    "bert_tagger": protocols.Tags,
    "bert_spans": protocols.FindsSpans,
    "bert_masked_lm": protocols.FillsIn,
    "albert": protocols.Encodes,
    "albert_classifier": protocols.Classifies,
    "albert_tagger": protocols.Tags,
    "albert_spans": protocols.FindsSpans,
    "albert_masked_lm": protocols.FillsIn,
    "albert_pretraining": protocols.FillsIn,
    "vit": protocols.EncodesImages,
    "vit_classifier": protocols.ClassifiesImages,
    "resnet": protocols.ClassifiesImages,
    "ram": protocols.ClassifiesImages,
    "unet": protocols.Segments,
    "danet": protocols.Segments,
    "captioner": protocols.Captions,
    "gpt": protocols.Encodes,
    "gpt_classifier": protocols.Classifies,
    "gpt_tagger": protocols.Tags,
    "gpt_spans": protocols.FindsSpans,
    "gpt_lm": protocols.Continues,
    "xlnet": protocols.Encodes,
    "xlnet_lm": protocols.FillsIn,
    "xlnet_classifier": protocols.Classifies,
    "xlnet_tagger": protocols.Tags,
    "xlnet_spans": protocols.FindsSpans,
    "llama": protocols.Encodes,
    "llama_classifier": protocols.Classifies,
    "llama_tagger": protocols.Tags,
    "llama_spans": protocols.FindsSpans,
    "llama_lm": protocols.Continues,
    "t5": protocols.Translates,
    "t5_encoder": protocols.Encodes,
    "rnnsearch": protocols.Translates,
    "luong": protocols.Translates,
    "lstm": protocols.Classifies,
    "lstm_tagger": protocols.Tags,
    "dan": protocols.Classifies,
    "cnn": protocols.Classifies,
    "han": protocols.Classifies,
    "abcnn": protocols.Matches,
    "attentive_reader": protocols.Extracts,
    "memory": protocols.Answers,
    "din": protocols.Recommends,
    "youtube_dnn": protocols.Recommends,
}
"""What the task of each network asks of it."""
TABLES = {("youtube_dnn", "output")}
"""Linear layers of which only the rows are used."""
PER_TOKEN = {
    *("transformer_tagger", "lstm_tagger", "attentive_reader"),
    *("bert", "bert_tagger", "bert_spans", "bert_masked_lm"),
    *("albert", "albert_tagger", "albert_spans", "albert_masked_lm", "albert_pretraining"),
    *("gpt", "gpt_tagger", "gpt_spans", "gpt_lm"),
    *("xlnet", "xlnet_tagger", "xlnet_spans", "xlnet_lm"),
    *("llama", "llama_tagger", "llama_spans", "llama_lm"),
    "t5_encoder",
}
"""Networks that answer with a place for each token, zeros where there is none."""
ASKED_APART = {
    "bert": ("pooler",),
    "bert_masked_lm": ("encoder.pooler", "next_sentence"),
    "albert": ("pooler",),
    "vit": ("pooler",),
    "ram": ("baseline",),
    "albert_pretraining": ("encoder.pooler", "sentence_order"),
    "xlnet": ("mask",),
    **dict.fromkeys(
        ("xlnet_lm", "xlnet_classifier", "xlnet_tagger", "xlnet_spans"), ("encoder.mask",)
    ),
}
"""Weights that another method than `forward` asks."""
BIASED = {"t5", "t5_encoder"}
"""Networks that learn a bias of the scores: where nothing learns, another kernel adds it."""
READS_NUMBERS = {"han", "memory"}
"""Networks whose shapes depend on where sentences end, so that without numbers there are none."""

PACKS = {
    *("transformer_classifier", "bert", "bert_classifier", "bert_tagger", "bert_masked_lm"),
    *("albert", "albert_classifier", "albert_tagger", "albert_masked_lm", "albert_pretraining"),
    *("gpt", "gpt_classifier", "gpt_tagger", "gpt_lm"),
    *("xlnet", "xlnet_lm", "xlnet_classifier", "xlnet_tagger"),
    *("llama", "llama_classifier", "llama_tagger", "llama_lm"),
    "t5_encoder",
}
"""Networks that read packed texts."""


def rows(keep: Callable[[Row], bool]) -> Callable[[Law], Law]:
    """One test of each network, of all its rows."""
    chosen: dict[str, dict[str, Row]] = {}
    for name, row in ROWS.items():
        if keep(row):
            chosen.setdefault(row.name, {})[name] = row
    return one_by_one("row", chosen)


every = rows(lambda row: True)
ragged = rows(lambda row: isinstance(row.batch[0], Sequences))
weighing = rows(lambda row: hasattr(model_class(row.name), "attention_weights"))
packs = rows(lambda row: row.name in PACKS)
without_numbers = rows(lambda row: row.name not in READS_NUMBERS)


def close(found: Tensor, wanted: Tensor, what: str, gradient: bool = False) -> None:
    # In which order rows are added depends on the machine, and a large gradient makes it larger.
    least = 1e-9 * wanted.abs().max().item() if gradient and wanted.numel() else 0.0
    assert_close_to_golden(found, wanted, wanted, what=what, gradient=gradient, least=least)


def without_padding(found: Tensor, like: Tensor) -> Tensor:
    """The answers at the places of `like`; there must be zeros at all others."""
    inner = tuple(slice(0, size) for size in like.shape)
    rest = found.detach().clone()
    rest[inner] = 0.0
    assert not rest.any()
    return found[inner]


def num_rows(row: Row) -> int:
    return len(row.batch[0])


@cache
def answered(row: Row) -> tuple[Any, Tensor]:
    """A network of the row, which stays as it is, and what it answers."""
    model = row.made()
    return model, model(*row.batch).detach()


def gradients(model: Any, answers: Tensor) -> dict[str, Tensor]:
    weights = dict(model.named_parameters())
    loss = answers.square().sum()
    found = torch.autograd.grad(loss, list(weights.values()), allow_unused=True)
    return {
        name: torch.zeros_like(weight) if gradient is None else gradient
        for (name, weight), gradient in zip(weights.items(), found, strict=True)
    }


def choices(kind: type[Config], path: str = "") -> Iterator[tuple[str, Any]]:
    """Every word, truth value and alternative that a configuration may hold, with its field."""
    for name, held in fields_of(kind).items():
        if get_origin(held) is Literal:
            yield from ((f"{path}{name}", word) for word in get_args(held))
        if held is bool:
            yield from ((f"{path}{name}", value) for value in (True, False))
        several = alternatives(held)
        for option in several:
            if len(several) > 1:
                yield f"{path}{name}", option.tag
            yield from choices(option, f"{path}{name}.")


def chosen(config: Config, path: str = "") -> Iterator[tuple[str, Any]]:
    """What a configuration holds, as above."""
    for name in fields_of(type(config)):
        value = getattr(config, name)
        yield f"{path}{name}", value.tag if isinstance(value, Config) else value
        if isinstance(value, Config):
            yield from chosen(value, f"{path}{name}.")


def test_the_table_names_every_network() -> None:
    assert {row.name for row in ROWS.values()} == set(MODELS)


OF_A_BATCH = {("backward_half", True)}
"""What rows are not alone with: their place in a batch says how they are read (`test_xlnet.py`)."""


@pytest.mark.parametrize("name", MODELS)
def test_whatever_a_network_can_be_made_of_is_in_some_row(name: str) -> None:
    kind = model_class(name).config_type
    possible = set(choices(kind))
    # What a network has from another one is chosen in that one's rows.
    above = {name, *(base.tag for base in kind.__mro__ if getattr(base, "tag", None) in MODELS)}
    above.add(name.partition("_")[0])
    in_rows = {each for row in ROWS.values() if row.name in above for each in chosen(row.config)}
    assert possible - in_rows - OF_A_BATCH == set()


@pytest.mark.parametrize("name", MODELS)
def test_a_network_meets_the_protocol_of_its_task(name: str) -> None:
    assert isinstance(answered(FIRST[name])[0], PROTOCOLS[name])


@every
def test_a_padded_batch_and_its_gradients_are_those_of_its_rows(row: Row) -> None:
    model, together = answered(row)
    sums = {name: torch.zeros_like(weight) for name, weight in model.named_parameters()}
    for number in range(num_rows(row)):
        found = model(*alone(row.batch, number))
        inner = without_padding(together[number], found[0])
        close(inner, found[0], f"logits of row {number}")
        for name, gradient in gradients(model, found).items():
            sums[name] += gradient
    for name, gradient in gradients(model, model(*row.batch)).items():
        close(gradient, sums[name], f"gradient of {name}", gradient=True)


@weighing
def test_attention_weights_are_those_of_the_rows_and_zero_in_padding(row: Row) -> None:
    model, _ = answered(row)
    together = model.attention_weights(*row.batch)
    assert not together.requires_grad
    for number in range(num_rows(row)):
        (found,) = model.attention_weights(*alone(row.batch, number))
        rest = together[number].clone()
        inner = rest[tuple(slice(0, size) for size in found.shape)]
        torch.testing.assert_close(inner, found, rtol=0, atol=1e-12)
        inner.zero_()
        assert not rest.any(), f"row {number} looks at padding"


@every
def test_the_order_of_a_batch_is_the_order_of_its_answers(row: Row) -> None:
    model, wanted = answered(row)
    order = torch.tensor([2, 0, 1])
    close(model(*take(row.batch, order)), wanted[order], "logits")


@ragged
def test_what_stands_in_the_padding_is_never_read(row: Row) -> None:
    model, wanted = answered(row)
    assert torch.equal(model(*filled(row.batch, filling=3)), wanted)
    wider = without_padding(model(*filled(row.batch, filling=11, more=2)), wanted)
    close(wider, wanted, "logits of a wider batch")


@ragged
def test_lengths_that_pad_nothing_are_as_good_as_none(row: Row) -> None:
    (model, _), bare = answered(row), alone(row.batch, 0)
    said = tuple(
        Sequences(x.ids, x.counts, x.segments) if isinstance(x, Sequences) else x for x in bare
    )
    close(model(*said), model(*bare), "logits")


@every
def test_no_row_gives_no_answer(row: Row) -> None:
    model, wanted = answered(row)
    none = take(row.batch, torch.zeros(0, dtype=torch.long))
    assert model(*none).shape == (0, *wanted.shape[1:])


@ragged
def test_sequences_of_nothing_and_of_one_token_are_answered(row: Row) -> None:
    model, wanted = answered(row)
    for width in (0, 1):
        short = tuple(
            Sequences(x.ids[:, :width].clone()) if isinstance(x, Sequences) else x
            for x in row.batch
        )
        found = model(*short)
        assert found.shape == wanted.shape or row.name in PER_TOKEN
        assert found.shape[0] == len(wanted) and found.isfinite().all()
        assert all(each.isfinite().all() for each in gradients(model, found).values())


@every
def test_every_weight_learns(row: Row) -> None:
    model = row.made(seed=1).train()
    if hasattr(model, "features_sampled"):
        features, aux = model.features_sampled(*row.batch)
        logits = model.output(features)
    elif hasattr(model, "forward_branches"):
        logits, branches = model.forward_branches(*row.batch)
        logits, aux = logits + sum(other for other, _ in branches), None
    else:
        logits, aux = forward_sampled(model, *row.batch)
    if isinstance(aux, AwaitsReward):
        aux = aux.rewarded(torch.ones(len(logits)))
    nll = logits.pow(3).flatten(1).sum(1)
    if aux is not None:
        nll = nll + aux(nll)
    nll.sum().backward()
    for name, weight in model.named_parameters():
        if name.startswith(ASKED_APART.get(row.name, ("\0",))):
            continue
        assert weight.grad is not None and weight.grad.any(), name
        assert weight.grad.isfinite().all(), name


class Doubled(nn.Module):
    """Stands in a layer's place, as an adapter does, and doubles what it gives."""

    def __init__(self, base: nn.Linear) -> None:
        super().__init__()
        self.base, self.calls = base, 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return 2 * self.base(x)


@every
def test_whatever_stands_in_the_place_of_a_linear_layer_is_called(row: Row) -> None:
    model = row.made()
    tied = {id(layer.weight) for layer in model.modules() if isinstance(layer, nn.Embedding)}
    tied |= {
        id(weight) for layer in getattr(model, "memories", ()) for weight in layer.parameters()
    }
    linear = [
        place
        for place, layer in model.named_modules()
        # A tied weight is doubled elsewhere, too.
        if type(layer) is nn.Linear and id(layer.weight) not in tied
        if (row.name, place) not in TABLES
        if not place.startswith(ASKED_APART.get(row.name, ("\0",)))
    ]
    for place in linear:
        model.set_submodule(place, Doubled(model.get_submodule(place)))
    found = model(*row.batch)
    for place in linear:
        wrapper = model.get_submodule(place)
        assert wrapper.calls, place
        with torch.no_grad():
            for weight in wrapper.base.parameters():
                weight.mul_(2.0)
        model.set_submodule(place, wrapper.base)
    close(found, model(*row.batch), "logits")


@every
def test_a_network_works_in_inference_mode(row: Row) -> None:
    model, wanted = answered(row)
    with torch.inference_mode():
        found = model(*row.batch)
    if row.name in BIASED:
        with torch.no_grad():
            close(found, wanted, "logits")
            wanted = model(*row.batch)
    assert torch.equal(found, wanted)


@every
def test_half_precision_is_finite_and_near(row: Row) -> None:
    model, wanted = row.made().float(), answered(row)[1]
    with torch.autocast("cpu", torch.bfloat16):
        found = model(*row.batch)
    assert found.isfinite().all()
    assert (found - wanted).abs().max() <= 0.2 * wanted.abs().max()
    for name, gradient in gradients(model, found).items():
        assert gradient.dtype == torch.float32 and gradient.isfinite().all(), name


@without_numbers
def test_shapes_are_known_without_numbers(row: Row) -> None:
    model, device = row.made(), torch.device("meta")
    found = model.to(device)(*(each.to(device) for each in row.batch))
    assert found.shape == answered(row)[1].shape


@packs
def test_packed_texts_are_the_padded_ones(row: Row) -> None:
    (model, wanted), (source,) = answered(row), row.batch
    found = model(Packed.of(source))
    if row.name in PER_TOKEN:
        wanted = wanted[source.real.expand_as(source.ids)].unsqueeze(0)
    close(found, wanted, "logits")
    apart = gradients(model, model(source))
    for name, gradient in gradients(model, found).items():
        close(gradient, apart[name], f"gradient of {name}", gradient=True)


@pytest.mark.parametrize("name", MODELS)
def test_every_network_answers_with_its_layers_rounded_and_ready(name: str) -> None:
    row = FIRST[name]
    model = row.made().float()
    batch = tuple(x.float() if isinstance(x, Tensor) and x.is_floating_point() else x
                  for x in row.batch)  # fmt: skip
    with torch.no_grad():
        wanted, rounded = model(*batch), int8(model)(*batch)
        ready = prepacked(copy.deepcopy(model))(*batch)
    assert (rounded - wanted).abs().max() <= 0.2 * wanted.abs().max()
    torch.testing.assert_close(ready, wanted, rtol=1e-4, atol=1e-4)

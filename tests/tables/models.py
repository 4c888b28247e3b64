"""Every network of `regard.models.MODELS`, small: one row for each thing it can be made of.

A row has a configuration and a ragged batch. Where something attends, query and key are `WIDTH`
wide (unless a row says that they differ), so that any score fits.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, get_args

import torch
from torch import Tensor

from regard.config import Config, fields_of
from regard.layers import ActivationName
from regard.models import model_class
from regard.models.attention import Attends
from regard.models.xlnet.config import SummaryActivation
from regard.parts import PartOf
from regard.sequences import Sequences

WIDTH = 6
VOCAB = 12
END = 3
FEATURES = torch.arange(2 * VOCAB).reshape(VOCAB, 2) % 5

Batch = tuple[Any, ...]
"""What a network is called with: `Sequences` and tensors, the rows of all along the first axis."""

TEXTS = Sequences.of([[4, 8, 5, 6, 9], [7], [10, 4, 11]])
IN_SEGMENTS = Sequences(
    TEXTS.ids, TEXTS.lengths, torch.tensor([[0, 0, 1, 1, 0], [1, 0, 0, 0, 0], [0, 1, 1, 0, 0]])
)
OTHERS = Sequences.of([[5, 8], [7, 9, 10, 6], [4]])
DOCUMENTS = Sequences.of([[4, 8, 3, 5, 6, 10, 3], [3, 7], [9, 3, 3, 4, 4, 3, 11, 8, 5]])
"""Sentences end with 3; some have no word, some documents no end."""
STORIES = Sequences.of([[4, 8, 3, 5, 6, 3, 7, 3, 9, 3, 4, 11, 3], [], [10, 3, 4, 4, 11, 3]])
WRITTEN = torch.tensor([[2, 5, 4, 6], [2, 8, 8, 3], [2, 4, 5, 7]])
OFFERED = torch.tensor([[2, 7, 5], [3, 4, 4], [11, 2, 9]])
IMAGES = torch.arange(3 * 2 * 8 * 6, dtype=torch.float64).reshape(3, 2, 8, 6).sin()
LARGE_IMAGES = torch.arange(3 * 2 * 34 * 37, dtype=torch.float64).reshape(3, 2, 34, 37).sin()
"""With two places along each side of the last maps: in bfloat16 PyTorch's gradient of a strided
kernel over maps of one place is not all written on a CPU."""

BATCHES: dict[str, Batch] = {
    "transformer": (TEXTS, WRITTEN),
    "transformer_classifier": (TEXTS,),
    "transformer_tagger": (TEXTS,),
    "transformer_lm": (WRITTEN,),
    "bert": (TEXTS,),
    "bert_classifier": (TEXTS,),
    "bert_tagger": (TEXTS,),
    "bert_spans": (TEXTS,),
    "bert_masked_lm": (TEXTS,),
    "albert": (TEXTS,),
    "albert_classifier": (TEXTS,),
    "albert_tagger": (TEXTS,),
    "albert_spans": (TEXTS,),
    "albert_masked_lm": (TEXTS,),
    "albert_pretraining": (TEXTS,),
    "vit": (IMAGES,),
    "vit_classifier": (IMAGES,),
    "resnet": (LARGE_IMAGES,),
    "ram": (IMAGES,),
    "unet": (LARGE_IMAGES[:, :, :13, :10],),
    "danet": (LARGE_IMAGES,),
    "captioner": (LARGE_IMAGES, WRITTEN),
    "gpt": (TEXTS,),
    "gpt_classifier": (TEXTS,),
    "gpt_tagger": (TEXTS,),
    "gpt_spans": (TEXTS,),
    "gpt_lm": (TEXTS,),
    "xlnet": (IN_SEGMENTS,),
    "xlnet_lm": (IN_SEGMENTS,),
    "xlnet_classifier": (IN_SEGMENTS,),
    "xlnet_tagger": (IN_SEGMENTS,),
    "xlnet_spans": (IN_SEGMENTS,),
    "llama": (TEXTS,),
    "llama_classifier": (TEXTS,),
    "llama_tagger": (TEXTS,),
    "llama_spans": (TEXTS,),
    "llama_lm": (TEXTS,),
    "t5": (TEXTS, WRITTEN),
    "t5_encoder": (TEXTS,),
    "rnnsearch": (TEXTS, WRITTEN),
    "luong": (TEXTS, WRITTEN),
    "lstm": (TEXTS,),
    "lstm_tagger": (TEXTS,),
    "dan": (TEXTS,),
    "cnn": (TEXTS,),
    "han": (DOCUMENTS,),
    "abcnn": (TEXTS, OTHERS),
    "attentive_reader": (DOCUMENTS, OTHERS),
    "memory": (STORIES, OTHERS),
    "din": (TEXTS, OFFERED),
    "youtube_dnn": (TEXTS, OFFERED),
}

_TEXT = {"vocab": VOCAB, "classes": 3, "embed_dim": 4, "dropout": 0.1, "word_dropout": 0.1}
_PAIR = {"source_vocab": VOCAB, "target_vocab": 9, "embed_dim": 4, "hidden_dim": WIDTH}
_BLOCKS = {"embed_dim": 2 * WIDTH, "num_heads": 2, "ff_dim": 8, "layers": 2, "max_length": 9}
_STREAMS = {"embed_dim": 2 * WIDTH, "num_heads": 2, "ff_dim": 8, "layers": 2, "vocab": VOCAB}
_T5 = {"vocab": VOCAB, "embed_dim": 5, "num_heads": 2, "head_dim": WIDTH, "ff_dim": 8, "layers": 2}
_ITEMS = {"items": VOCAB, "embed_dim": WIDTH}
_FEATURED = {"items": VOCAB, "embed_dim": 2, "feature_columns": 2, "values": 5}
_IMAGES = {
    **{"image_size": (8, 6), "patch_size": (4, 2), "channels": 2, "embed_dim": 2 * WIDTH},
    **{"num_heads": 2, "ff_dim": 8, "layers": 2},
}
SIZES: dict[str, dict[str, Any]] = {
    "transformer": {**_BLOCKS, "source_vocab": VOCAB, "target_vocab": 9, "decoder_layers": 1},
    "transformer_classifier": {**_BLOCKS, "vocab": VOCAB, "classes": 3},
    "transformer_tagger": {**_BLOCKS, "vocab": VOCAB, "classes": 3},
    "transformer_lm": {**_BLOCKS, "vocab": 9},
    "bert": {**_BLOCKS, "vocab": VOCAB},
    "bert_classifier": {**_BLOCKS, "vocab": VOCAB, "classes": 3},
    "bert_tagger": {**_BLOCKS, "vocab": VOCAB, "classes": 3},
    "bert_spans": {**_BLOCKS, "vocab": VOCAB},
    "bert_masked_lm": {**_BLOCKS, "vocab": VOCAB},
    "albert": {**_BLOCKS, "vocab": VOCAB, "token_dim": 5},
    "albert_classifier": {**_BLOCKS, "vocab": VOCAB, "token_dim": 5, "classes": 3},
    "albert_tagger": {**_BLOCKS, "vocab": VOCAB, "token_dim": 5, "classes": 3},
    "albert_spans": {**_BLOCKS, "vocab": VOCAB, "token_dim": 5},
    "albert_masked_lm": {**_BLOCKS, "vocab": VOCAB, "token_dim": 5},
    "albert_pretraining": {**_BLOCKS, "vocab": VOCAB, "token_dim": 5},
    "vit": _IMAGES,
    "vit_classifier": {**_IMAGES, "classes": 3},
    "resnet": {"channels": 2, "classes": 3},
    "ram": {
        **{"channels": 2, "classes": 3, "patch_size": 3, "glimpses": 3, "hidden_dim": 5},
        "embed_dim": WIDTH,
    },
    "unet": {"channels": 2, "classes": 3, "width": 3},
    "danet": {"channels": 2, "classes": 3},
    "captioner": {
        **{"channels": 2, "target_vocab": 9, "embed_dim": 4, "hidden_dim": WIDTH},
        "shape": "cifar(depth=8, width=2)",
    },
    "gpt": {**_BLOCKS, "vocab": VOCAB},
    "gpt_classifier": {**_BLOCKS, "vocab": VOCAB, "classes": 3},
    "gpt_tagger": {**_BLOCKS, "vocab": VOCAB, "classes": 3},
    "gpt_spans": {**_BLOCKS, "vocab": VOCAB},
    "gpt_lm": {**_BLOCKS, "vocab": VOCAB},
    "xlnet": _STREAMS,
    "xlnet_lm": _STREAMS,
    "xlnet_classifier": {**_STREAMS, "classes": 3},
    "xlnet_tagger": {**_STREAMS, "classes": 3},
    "xlnet_spans": _STREAMS,
    "llama": {**_BLOCKS, "vocab": VOCAB},
    "llama_classifier": {**_BLOCKS, "vocab": VOCAB, "classes": 3},
    "llama_tagger": {**_BLOCKS, "vocab": VOCAB, "classes": 3},
    "llama_spans": {**_BLOCKS, "vocab": VOCAB},
    "llama_lm": {**_BLOCKS, "vocab": VOCAB},
    "t5": {**_T5, "decoder_layers": 1},
    "t5_encoder": _T5,
    "rnnsearch": {**_PAIR, "maxout_dim": 3},
    "luong": {**_PAIR, "layers": 2, "max_source_length": 9},
    "lstm": {**_TEXT, "hidden_dim": 3},
    "lstm_tagger": {**_TEXT, "hidden_dim": 3},
    "dan": {**_TEXT, "hidden_dim": 9},
    "cnn": {**_TEXT, "filters": 3, "widths": (2, 3)},
    "han": {**_TEXT, "hidden_dim": 3, "end": END},
    "abcnn": {"vocab": VOCAB, "classes": 3, "embed_dim": 4, "hidden_dim": 5, "layers": 2},
    "attentive_reader": {
        **{"vocab": VOCAB, "embed_dim": 4, "hidden_dim": 3, "dropout": 0.1, "word_dropout": 0.1},
        "alignment": f"align(attention_dim={WIDTH})",
        "pooling": f"attention(attention_dim={WIDTH})",
    },
    "memory": {"vocab": VOCAB, "end": END, "embed_dim": WIDTH, "hops": 2, "memory_size": 4},
    "din": {**_FEATURED, "hidden_dim": 5, "second_dim": 4},
    "youtube_dnn": _ITEMS,
}

_POOLED = f"attention(attention_dim={WIDTH})"
_LOOKS = f"search(attention_dim={WIDTH})"
_MEAN = {"word_pooling": "mean", "sentence_pooling": _POOLED}
_CHOICES: dict[str, list[dict[str, Any]]] = {
    "transformer": [
        {},
        {"norm": "pre", "activation": "swiglu", "positions": "learned", "tied": "none"},
        {"positions": "rope", "kv_heads": 1, "tied": "output", "activation": "gelu"},
        {"positions": "none", "sharing": "all", "target_vocab": VOCAB},
        {"sharing": "universal", "target_vocab": VOCAB, "joint_vocab": False},
        {"sharing": "adaptive"},
    ],
    "transformer_classifier": [
        {"pooling": "first"},
        {"positions": "learned", "norm": "pre", "activation": "swiglu"},
        {"positions": "rope", "sharing": "all", "activation": "gelu"},
        {"positions": "none"},
        {"sharing": "universal", "pooling": "first"},
        {"sharing": "adaptive"},
    ],
    "transformer_tagger": [
        {},
        {"positions": "learned", "norm": "pre", "activation": "swiglu"},
        {"positions": "rope", "sharing": "all", "activation": "gelu", "kv_heads": 1},
        {"positions": "none"},
        {"sharing": "universal"},
        {"sharing": "adaptive"},
    ],
    "transformer_lm": [
        {},
        {"positions": "learned", "norm": "pre", "tied": "none", "activation": "gelu"},
        {"positions": "rope", "kv_heads": 1, "sharing": "all", "activation": "swiglu"},
        {"positions": "none"},
        {"sharing": "universal"},
    ],
    "bert": [
        *({"activation": name} for name in get_args(ActivationName)),
        {"pooler": False},
    ],
    "bert_classifier": [{}],
    "bert_tagger": [{}],
    "bert_spans": [{}],
    "bert_masked_lm": [{}, {"tied": False, "next_sentence": True}],
    "albert": [
        *({"activation": name} for name in get_args(ActivationName)),
        {"layers": 3, "groups": 2, "blocks": 2},
        {"pooler": False},
    ],
    "albert_classifier": [{}],
    "albert_tagger": [{}],
    "albert_spans": [{}],
    "albert_masked_lm": [{}, {"tied": False}],
    "albert_pretraining": [{}, {"tied": False}],
    "vit": [
        *({"activation": name, "summary_activation": name} for name in get_args(ActivationName)),
        {"input_bias": False, "summary_dim": 5},
        {"pooler": False},
    ],
    "vit_classifier": [{}],
    "resnet": [
        {"shape": "cifar(depth=8, width=2)"},
        {"shape": "cifar(depth=14, width=6, shortcut=projection)", "block": "se(reduction=1)"},
        {"shape": "imagenet(depth=18, width=2)"},
        {"shape": "imagenet(depth=50, width=2, stem=deep)"},
        {"shape": "cifar(depth=14, width=4)", "block": "cbam(reduction=1)"},
        {"shape": "cifar(depth=8, width=4)", "block": "bam(reduction=1)"},
        {"shape": "cifar(depth=8, width=4)", "block": "sk(groups=2)"},
        {"shape": "cifar(depth=14, width=4)", "block": "non_local"},
        {"shape": "cifar(depth=8, width=4)", "block": "dual(reduction=1)"},
    ],
    "ram": [
        {"first": "middle"},
        {"patches": 2, "first": "anywhere"},
        {"samples": 2, "scale": 3},
    ],
    "unet": [{"depth": 2, "gates": True}, {"depth": 1, "gates": False}],
    "danet": [
        {"shape": "cifar(depth=8, width=4)", "dilated": 1},
        {"shape": "imagenet(depth=18, width=2, stem=deep)", "align_corners": True},
        {"shape": "cifar(depth=8, width=4, shortcut=projection)", "position": False},
        {"shape": "imagenet(depth=50, width=1)", "channel": False, "dilated": 3},
        {"shape": "cifar(depth=8, width=3)", "position": False, "channel": False, "dilated": 0},
    ],
    "captioner": [
        # Of few places, where scores that have a weight for each place are asked.
        {
            "attention": f"soft(attention_dim={WIDTH})",
            "shape": "imagenet(depth=18, width=2, stem=deep)",
        },
        {"attention": f"hard(attention_dim={WIDTH})", "shape": "imagenet(depth=18, width=2)"},
        {"attention": "soft(attention_dim=5, penalty=0)", "block": "eca"},
        {
            "attention": f"soft(attention_dim={WIDTH})",
            "shape": "cifar(depth=8, width=2, shortcut=projection)",
        },
    ],
    "gpt": [
        *({"activation": name} for name in get_args(ActivationName)),
        {"norm": "post"},
        {"scale_by_layer": True},
        {"band": 1, "head_dim": WIDTH, "layers": 3},
    ],
    "gpt_classifier": [{}],
    "gpt_tagger": [{}],
    "gpt_spans": [{}],
    "gpt_lm": [{}, {"tied": False, "band": 2, "ends": (3,)}],
    "xlnet": [
        *({"activation": name} for name in get_args(ActivationName)),
        {"causal": True},
        # With nothing remembered each token sees itself alone, to which a softmax gives all.
        {"causal": True, "same_length": True, "attention": {"normalizer": "sigmoid"}},
        {"clamp_length": 2},
    ],
    "xlnet_lm": [{}, {"tied": False}],
    "xlnet_classifier": [
        *({"summary_activation": name} for name in get_args(SummaryActivation)),
        {"summary": "first"},
        {"summary": "mean", "summary_projection": False},
    ],
    "xlnet_tagger": [{}],
    "xlnet_spans": [{}],
    "llama": [
        *({"activation": name} for name in get_args(ActivationName)),
        {"attention_bias": True, "kv_heads": 1},
        {"ff_bias": True, "head_dim": WIDTH, "num_heads": 4},
        {"rope_scaling": "yarn(factor=2.0, trained=4)"},
        {"rope_scaling": "yarn(factor=2.0, trained=4, whole=False)"},
        {"rope_scaling": "llama3(factor=2.0, trained=4)"},
    ],
    "llama_classifier": [{}],
    "llama_tagger": [{}],
    "llama_spans": [{}],
    "llama_lm": [{"tied": True}, {"tied": False}],
    "t5": [
        {},
        {"feed_forward": "gated", "tied": False, "scaled": False},
        {"buckets": 4, "max_distance": 3},
    ],
    "t5_encoder": [
        *({"feed_forward": f"plain(activation={name})"} for name in get_args(ActivationName)),
        *({"feed_forward": f"gated(activation={name})"} for name in get_args(ActivationName)),
    ],
    "rnnsearch": [
        {"attention": _LOOKS},
        {"attention": "search(attention_dim=5)"},
        {"attention": "none"},
    ],
    "luong": [
        {},
        {"attention": "global(score=luong_concat, input_feeding=False)"},
        {"attention": "global(score=location)"},
        {"attention": "local_m(window=1)"},
        {"attention": "local_p(window=2, score=dot)"},
        {"attention": "local_p(window=2, variant=official, score=luong_concat)"},
        {"attention": "none"},
    ],
    "lstm": [
        {"pooling": "last"},
        {"pooling": "mean", "layers": 2, "cell": "gru"},
        {"pooling": "last", "cell": "gru", "bidirectional": False},
        {"pooling": _POOLED},
        {"pooling": f"hard(attention_dim={WIDTH})"},
        {"pooling": f"hard(attention_dim={WIDTH}, estimator=gumbel, temperature=0.7)"},
    ],
    "lstm_tagger": [
        {},
        {"attention": "self(num_heads=2)", "hidden_dim": WIDTH, "layers": 2},
        {"attention": "none", "cell": "gru"},
        {"attention": "self", "bidirectional": False, "hidden_dim": WIDTH},
    ],
    "dan": [{"pooling": "mean", "layers": 1}, {"pooling": _POOLED}],
    "cnn": [
        {"pooling": "max"},
        {"pooling": "mean", "widths": (1, 4)},
        {"pooling": _POOLED},
        {"pooling": f"guided(hidden_dim={WIDTH})"},
        {"pooling": "guided(hidden_dim=5)"},
    ],
    "han": [
        {"word_pooling": _POOLED, "sentence_pooling": _POOLED},
        _MEAN,
        {"word_pooling": _POOLED, "sentence_pooling": "mean"},
        {"word_pooling": "mean", "sentence_pooling": "mean"},
    ],
    "abcnn": [
        {"attention": "none", "similarity": "cosine"},
        {"attention": "input", "similarity": "distance", "places": "own"},
        {"attention": "pooling", "similarity": "distance", "variant": "official"},
        {"attention": "both", "width": 2},
    ],
    "attentive_reader": [
        {},
        {"alignment": "none", "cell": "gru", "layers": 2},
        {"pooling": "mean", "matching": False},
        {"alignment": "none", "pooling": "mean", "bidirectional": False},
    ],
    "memory": [
        {},
        {"tying": "layerwise", "encoding": "bag"},
        {"encoding": "official_position(max_words=4)", "hops": 1},
        {"attention": "hard"},
        {"attention": "hard(estimator=gumbel)", "tying": "layerwise"},
    ],
    "din": [
        {},
        {"pooling": "mean", "activation": "sigmoid"},
        {
            "pooling": "attention(score=mlp(hidden_dims=(5,), variant=paper), "
            "normalizer=unnormalized)",
            "interest_layer": False,
            "item_bias": False,
            "activation": "prelu",
        },
    ],
    "youtube_dnn": [
        {},
        {"pooling": "attention", "layers": 1},
        {**_FEATURED, "pooling": "attention"},
    ],
}


@dataclass(frozen=True)
class Row:
    """A network: its name, what it is made of, and what it is called with."""

    name: str
    config: Any
    batch: Batch

    def made(self, attend: Attends = None, seed: int = 0, **changes: Any) -> Any:
        """The network in float64, no weight of which is as all others of its kind are at first."""
        torch.manual_seed(seed)
        config = replace(self.config, **changes)
        kind = model_class(self.name)
        model = kind(config) if attend is None else kind(config, attend=attend)
        if hasattr(model, "set_item_features") and config.feature_columns:
            model.set_item_features(FEATURES)
        with torch.no_grad():
            for weight in model.parameters():
                weight.add_(0.4 * torch.randn_like(weight))
            for name, buffer in model.named_buffers():
                if name.endswith(("mean", "variance", "baseline")):
                    buffer.uniform_(0.1, 1.0)
                if name.endswith("running_var"):
                    buffer.uniform_(1.0, 4.0)  # Else maps would grow with every layer.
        return model.double().eval()


def _rows() -> dict[str, Row]:
    found = {}
    for name, batch in BATCHES.items():
        for choices in _CHOICES[name]:
            config = model_class(name).config_type.from_entries(SIZES[name] | choices)
            said = ", ".join(str(choice) for key, choice in choices.items() if key not in _FEATURED)
            found[f"{name}: {said}" if said else name] = Row(name, config, batch)
    return found


ROWS = _rows()
FIRST = {row.name: row for row in reversed(ROWS.values())}
"""One row of each network."""


def places(config: Config, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Where a configuration names a part, and of which role."""
    for name, kind in fields_of(type(config)).items():
        value = getattr(config, name)
        if isinstance(value, Config):
            yield from places(value, (*path, name))
        for each in (kind, *get_args(kind)):
            for mark in get_args(each):
                if isinstance(mark, PartOf):
                    yield (*path, name), mark.role


def with_value(config: Any, path: tuple[str, ...], value: Any) -> Any:
    """The configuration with another value there."""
    name, *rest = path
    inner = value if not rest else with_value(getattr(config, name), tuple(rest), value)
    return replace(config, **{name: inner})


def take(batch: Batch, rows: Tensor) -> Batch:
    """Some rows of a batch."""
    return tuple(each.take(rows) if isinstance(each, Sequences) else each[rows] for each in batch)


def alone(batch: Batch, row: int) -> Batch:
    """One row of a batch, without padding."""

    def cut(each: Any) -> Any:
        if isinstance(each, Sequences):
            here = (slice(row, row + 1), slice(int(each.counts[row])))
            segments = None if each.segments is None else each.segments[here]
            return Sequences(each.ids[here], None, segments)
        return each[row : row + 1]

    return tuple(map(cut, batch))


def filled(batch: Batch, filling: int, more: int = 0) -> Batch:
    """A batch with another number in its padding, and with more of it."""

    def fill(each: Any) -> Any:
        if not isinstance(each, Sequences):
            return each
        ids = torch.nn.functional.pad(each.ids.masked_fill(~each.real, filling), (0, more))
        ids[:, each.ids.shape[1] :] = filling
        segments = each.segments
        if segments is not None:
            segments = torch.nn.functional.pad(segments.masked_fill(~each.real, 1), (0, more))
        return Sequences(ids, each.counts, segments)

    return tuple(map(fill, batch))

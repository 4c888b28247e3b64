"""Networks and predictors, put together from settings, and from the folders they left behind."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from regard._files import read_json
from regard.cli.mistake import Mistake
from regard.cli.names import NORMALIZERS, SCORES, attend_of, chosen
from regard.cli.settings import ModelSettings, Settings
from regard.data.tokenizer import Tokenizer
from regard.layers import Attend
from regard.models import rnnsearch, transformer
from regard.tasks.classify import TOKENIZER, Classifier, load_labels
from regard.tasks.date_reader import DateReader, load_vocabularies
from regard.tasks.exchange import CONFIG, TASK, read_about
from regard.tasks.language_model import Narrator
from regard.tasks.task import Predictor
from regard.tasks.translate import Translator, load_tokenizers

PARTS = ("score", "score_mod", "normalizer", "window", "attention_dropout")


def about(settings: ModelSettings) -> dict[str, Any]:
    """The names of the parts, which a folder keeps beside the sizes."""
    return {name: getattr(settings, name) for name in PARTS}


def translation_model(settings: Settings, source_vocab: int, target_vocab: int) -> nn.Module:
    """A network that reads one language and writes another."""
    model = settings.model
    if model.name == "rnnsearch":
        config = rnnsearch.RNNsearchConfig(
            source_vocab=source_vocab,
            target_vocab=target_vocab,
            embed_dim=model.embed_dim,
            hidden_dim=model.ff_dim,
            state_dim=model.ff_dim,
            align_dim=model.align_dim,
            maxout_dim=model.maxout_dim,
            dropout=model.dropout,
        )
        return rnnsearch.RNNsearch(config, **_rnnsearch_parts(about(model), config))
    joint = settings.tokens.joint
    sizes = transformer.TransformerConfig(
        source_vocab=source_vocab,
        target_vocab=target_vocab,
        encoder_layers=model.layers,
        decoder_layers=model.layers,
        **_shape(settings, settings.data.longest + 60)
        | {"tied": model.tied if joint or model.tied != "all" else "output"},
    )
    return transformer.Transformer(sizes, _attend(about(model), sizes))


def classification_model(settings: Settings, vocab: int, classes: int) -> nn.Module:
    """A network that reads a text and chooses a label."""
    sizes = transformer.TransformerClassifierConfig(
        vocab=vocab,
        classes=classes,
        layers=settings.model.layers,
        **_shape(settings, settings.data.longest),
    )
    return transformer.TransformerClassifier(sizes, _attend(about(settings.model), sizes))


def language_model(settings: Settings, vocab: int) -> nn.Module:
    """A network that goes on where a text stops."""
    sizes = transformer.TransformerLMConfig(
        vocab=vocab,
        layers=settings.model.layers,
        tied="none" if settings.model.tied == "none" else "output",
        **_shape(settings, settings.data.block),
    )
    return transformer.TransformerLM(sizes, _attend(about(settings.model), sizes))


def load_predictor(folder: Path) -> Predictor:
    """A trained model and what it needs, from the exchange layout.

    Raises `FileNotFoundError` when something is missing, `ValueError` (`CheckpointMismatch` among
    them) when it is damaged or does not belong together.
    """
    known = read_about(folder)
    parts = {name: known[name] for name in PARTS if name in known}
    try:
        return _predictor(folder, known, parts, load_model(folder, parts))
    except KeyError as error:
        raise ValueError(
            f"{folder / TASK} lacks {error}; copy the whole run folder again"
        ) from None


def _predictor(
    folder: Path, known: Mapping[str, Any], parts: Mapping[str, Any], model: Any
) -> Predictor:
    sizes: Any = model.config
    kind: Any = known["task"]
    if kind == "dates":
        source, target = load_vocabularies(folder)
        _belong(folder, sizes, source_vocab=source, target_vocab=target)
        return DateReader(model, source, target, parts)
    if kind == "translate":
        reading, writing = load_tokenizers(folder)
        _belong(folder, sizes, source_vocab=reading, target_vocab=writing)
        return Translator(model, reading, writing, known["length_penalty"], parts)
    if kind == "classify":
        tokenizer, labels = Tokenizer.load(folder / TOKENIZER), load_labels(folder)
        _belong(folder, sizes, vocab=tokenizer, classes=labels)
        return Classifier(model, tokenizer, labels, known["longest"], parts)
    if kind == "language_model":
        tokenizer = Tokenizer.load(folder / TOKENIZER)
        _belong(folder, sizes, vocab=tokenizer)
        return Narrator(
            model, tokenizer, known["block"], known["length"], known["temperature"], parts
        )
    raise ValueError(f"{folder} was trained for {kind!r}, which this version does not know")


def _belong(folder: Path, sizes: Any, **lists: Any) -> None:
    """Raise `ValueError` unless each list is as long as the network's size of that name."""
    for size, names in lists.items():
        wanted = getattr(sizes, size, None)
        if len(names) != wanted:
            raise ValueError(
                f"{folder} does not belong together: its network has {size} {wanted}, its files "
                f"name {len(names)}; copy the whole run folder again"
            )


def load_model(folder: Path, parts: Mapping[str, Any]) -> Any:
    """The network alone, with the named parts."""
    text = (folder / CONFIG).read_text("utf-8")
    entries = read_json(text)
    kind = entries.get("model_type") if isinstance(entries, dict) else None
    if kind == "rnnsearch":
        config = rnnsearch.RNNsearchConfig.from_json(text)
        return rnnsearch.load(folder, **_rnnsearch_parts(parts, config))
    if isinstance(entries, dict) and str(kind).startswith("transformer"):
        heads, width = entries.get("num_heads"), entries.get("embed_dim")
        if type(heads) is int and type(width) is int and heads > 0:
            return transformer.load(folder, _attend_for(parts, width, heads))
    raise ValueError(f"{folder / CONFIG} is the configuration of {kind!r}, which is not known")


def _shape(settings: Settings, longest: int) -> dict[str, Any]:
    """What all Transformers share."""
    model = settings.model
    return {
        "embed_dim": model.embed_dim,
        "num_heads": model.num_heads,
        "ff_dim": model.ff_dim,
        "dropout": model.dropout,
        "norm": model.norm,
        "activation": model.activation,
        "positions": model.positions,
        "max_length": longest if model.positions == "learned" else None,
    }


def _attend(parts: Mapping[str, Any], sizes: Any) -> Attend | None:
    return _attend_for(parts, sizes.embed_dim, sizes.num_heads)


def _attend_for(parts: Mapping[str, Any], width: int, heads: int) -> Attend:
    return attend_of(
        width // heads,
        heads,
        score=parts.get("score", "scaled_dot"),
        normalizer=parts.get("normalizer", "softmax"),
        score_mod=parts.get("score_mod", "none"),
        window=parts.get("window", 0),
        dropout=parts.get("attention_dropout", 0.0),
    )


def _rnnsearch_parts(parts: Mapping[str, Any], config: Any) -> dict[str, Any]:
    """Score and normalizer; the published score if none or the usual one of others is named."""
    name = parts.get("score", "additive")
    if parts.get("score_mod", "none") != "none" or parts.get("window", 0):
        raise Mistake("RNNsearch has no score_mod and no window; leave both as they are")
    normalizer = chosen("normalizer", parts.get("normalizer", "softmax"), NORMALIZERS)(1)
    if name == "additive":
        return {"score": None, "normalizer": normalizer}
    made = chosen("score", name, SCORES)(config.state_dim, config.align_dim, config.align_dim)
    return {"score": made, "normalizer": normalizer}

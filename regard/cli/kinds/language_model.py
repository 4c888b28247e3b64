"""Language modelling: running text, all of it one stream of tokens."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from regard._io.files import read_json, write_whole
from regard.cli.kinds.encoding import learned, require_same, texts_of
from regard.cli.networks import NETWORKS
from regard.cli.settings import Settings
from regard.data.encoding.token_stream import TokenStream
from regard.data.encoding.tokenizer import Tokenizer
from regard.data.reading.corpus import Corpus
from regard.tasks.language_model import TOKENIZER, LanguageModel, Narrator

CHARACTERS = "characters.json"


def prepare(settings: Settings, corpus: Corpus, place: Path) -> None:
    tokenizer = learned(settings, texts_of(corpus.splits["train"], "text"), running=True)
    tokenizer.save(place / TOKENIZER)
    _, characters = _streams(corpus.splits, tokenizer, place)
    write_whole(place / CHARACTERS, json.dumps(characters).encode())


def task(settings: Settings, corpus: Corpus, place: Path) -> LanguageModel:
    tokenizer = Tokenizer.load(place / TOKENIZER)
    make = NETWORKS[settings.model.name].makers["language_model"]
    model = make(settings, vocab=len(tokenizer))
    return LanguageModel(
        Narrator(model, tokenizer, settings.data.block, about=settings.model.about()),
        {split: TokenStream.load(place / split) for split in corpus.splits},
        read_json((place / CHARACTERS).read_bytes()),
        batch_size=settings.data.batch_size,
        seed=settings.train.seed,
    )


def examined(
    settings: Settings, splits: Mapping[str, Any], predictor: Narrator, place: Path
) -> LanguageModel:
    return LanguageModel(predictor, *_streams(splits, predictor.tokenizer, place))


def load(folder: Path, known: Mapping[str, Any], parts: Mapping[str, Any], model: Any) -> Narrator:
    tokenizer = Tokenizer.load(folder / TOKENIZER)
    require_same(folder, model, vocab=tokenizer)
    return Narrator(
        model,
        tokenizer,
        known["block"],
        length=known["length"],
        temperature=known["temperature"],
        about=parts,
    )


def _streams(
    splits: Mapping[str, Any], tokenizer: Tokenizer, place: Path
) -> tuple[dict[str, TokenStream], dict[str, int]]:
    """Each split as one stream of tokens, and how many characters it has."""
    streams, characters = {}, dict.fromkeys(splits, 0)

    def counted(split: str) -> Iterator[str]:
        for text in texts_of(splits[split], "text"):
            characters[split] += len(text)
            yield text

    for split in splits:
        streams[split] = TokenStream.encode(counted(split), tokenizer, place / split)
    return streams, characters

"""How the families of published tokenizers read a text: what is around it, what it goes through.

What a family's own class of `transformers` does is a row here: its special tokens and its frame.
The lists of tokens, and what a text goes through, are read elsewhere (`byte_pairs.py`,
`unigrams.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from regard._printable import shown
from regard.data.encoding.token_options import PLAIN, TokenOptions

ANGLES = {"bos": "<s>", "eos": "</s>", "unk": "<unk>", "pad": "<pad>"}
BRACKETS = {"bos": "[CLS]", "eos": "[SEP]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}
END_OF_TEXT = "<|endoftext|>"


@dataclass(frozen=True)
class TokenizerKind:
    """A family's way of reading.

    Args:
        named: the token of each role, where the folder says nothing.
        single: what is around one text: roles, `text`, and with `:2` their segment.
        pair: what is around `text` and `second`.
        extra: further special tokens.
    """

    named: Mapping[str, str]
    single: str = ""
    pair: str = ""
    extra: tuple[str, ...] = ()


NO_KIND = TokenizerKind({})
"""Of what says all by itself."""
ROBERTA = TokenizerKind(
    {**ANGLES, "cls": "<s>", "sep": "</s>", "mask": "<mask>"},
    "cls text sep",
    "cls text sep sep second sep",
)
GPT2 = TokenizerKind({"bos": END_OF_TEXT, "eos": END_OF_TEXT, "unk": END_OF_TEXT})
GPT1 = TokenizerKind({"unk": "<unk>"})
BYTE_PAIRS = {
    "GPT2": GPT2,
    "gpt2": GPT2,
    "OpenAIGPT": GPT1,
    "openai-gpt": GPT1,
    "Roberta": ROBERTA,
    "roberta": ROBERTA,
    "Bart": ROBERTA,
}
"""The classes that read `vocab.json` and `merges.txt`, and the families that have them."""

T5 = TokenizerKind(
    {"eos": "</s>", "unk": "<unk>", "pad": "<pad>"}, "text eos", "text eos second eos"
)
ALBERT = TokenizerKind(
    {**BRACKETS, "unk": "<unk>", "pad": "<pad>"},
    "cls text sep",
    "cls text sep second:1 sep:1",
)
XLNET = TokenizerKind(
    {**ANGLES, "cls": "<cls>", "sep": "<sep>", "mask": "<mask>"},
    "text sep cls:2",
    "text sep second:1 sep:1 cls:2",
    ("<eop>", "<eod>"),
)
LLAMA = TokenizerKind(
    {"bos": "<s>", "eos": "</s>", "unk": "<unk>"}, "bos text", "bos text bos:1 second:1"
)
SENTENCE_PIECES = {
    "T5": T5,
    "t5": T5,
    "Albert": ALBERT,
    "albert": ALBERT,
    "XLNet": XLNET,
    "xlnet": XLNET,
    "Llama": LLAMA,
    "llama": LLAMA,
    "XLMRoberta": ROBERTA,
    "xlm-roberta": ROBERTA,
}
"""The classes that read a sentencepiece model, and the families that have them."""


def kind_of(options: TokenOptions, known: Mapping[str, TokenizerKind], file: str) -> TokenizerKind:
    """The way of reading that a folder names; raises `ValueError` where it names none of these."""
    if options.kind is None or options.kind not in known:
        listed = ", ".join(f"{name}Tokenizer" for name in known if name[0].isupper())
        said = "nothing" if options.kind is None else shown(options.kind)
        raise ValueError(
            f"{file} is read by {listed}, and the folder says {said}; let tokenizer_config.json "
            "say which as tokenizer_class"
        )
    return known[options.kind]


def finished(
    entries: dict[str, Any],
    numbers: dict[str, int],
    kind: TokenizerKind,
    options: TokenOptions,
    single: str,
    pair: str,
) -> dict[str, Any]:
    """Entries of `tokenizer.json` with their special tokens, and with what is around texts.

    Args:
        entries: without either, but maybe with `added_tokens` of the list's own.
        numbers: of all tokens; those that were added later are written into it.
        single, pair: as in `TokenizerKind`.

    Raises `ValueError` for a token around texts that has no number.
    """
    added = {each["content"]: each for each in entries.get("added_tokens", ())}
    added |= {each["content"]: dict(each) for each in options.added}
    numbers |= {token: each["id"] for token, each in added.items()}
    named = {**kind.named, **options.named}
    said = [*options.named.values(), *options.more]
    for token in said:
        numbers.setdefault(token, len(numbers))
    for token in (*named.values(), *kind.extra, *said):
        if token in numbers:
            flags = {name: added.get(token, PLAIN)[name] for name in PLAIN}
            added[token] = {"id": numbers[token], "content": token, "special": True, **flags}
    ordered = sorted(added.values(), key=lambda each: int(each["id"]))
    around = {role: token for role, token in named.items() if role in _roles(single + " " + pair)}
    if lacking := [token for token in around.values() if token not in numbers]:
        raise ValueError(f"there is no {lacking[0]} among the {len(numbers):,} tokens")
    template = {
        "type": "TemplateProcessing",
        "single": [_place(each, named) for each in single.split()],
        "pair": [_place(each, named) for each in pair.split()],
        "special_tokens": {
            token: {"id": token, "ids": [numbers[token]], "tokens": [token]}
            for token in around.values()
        },
    }
    return {
        **entries,
        "version": "1.0",
        "added_tokens": ordered,
        "post_processor": template if around else None,
    }


def _roles(template: str) -> set[str]:
    return {each.partition(":")[0] for each in template.split()} - {"text", "second"}


def _place(word: str, named: Mapping[str, str]) -> dict[str, Any]:
    """One place of a template, such as `sep:1`."""
    role, _, segment = word.partition(":")
    at = {"type_id": int(segment or 0)}
    if role in ("text", "second"):
        return {"Sequence": {"id": "A" if role == "text" else "B", **at}}
    return {"SpecialToken": {"id": named[role], **at}}

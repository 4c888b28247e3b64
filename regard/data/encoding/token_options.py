"""What the small files beside a published list of tokens say: names, options, tokens added later.

tokenizer_config.json      options of the class, names of special tokens, `added_tokens_decoder`
special_tokens_map.json    names of special tokens
added_tokens.json          tokens added later, and their numbers
config.json                the family, where no class of tokens is named
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from regard._io.files import read_file, read_json
from regard._printable import shown
from regard.data.encoding.vocabulary import MAX_TOKENS

OPTIONS, NAMES, ADDED = "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"
CONFIG = "config.json"
ROLES = ("bos", "eos", "unk", "sep", "pad", "cls", "mask")
"""The roles of special tokens: `bos_token` and so on."""
MORE = ("additional_special_tokens", "extra_special_tokens")
"""What special tokens without a role are called, in files of two generations."""
PLAIN = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}


@dataclass(frozen=True)
class TokenOptions:
    """What a folder says of its tokens, besides the tokens.

    Args:
        path: of `tokenizer_config.json`.
        kind: the class that reads them, as in `T5Tokenizer`, without what all classes share; the
            `model_type` where no class is named, None where neither is.
        options: what stands in `tokenizer_config.json`.
        named: the token of each role, as far as it is said.
        more: further special tokens.
        added: tokens with numbers beyond the list, as entries of `tokenizer.json`.
    """

    path: Path
    kind: str | None
    options: Mapping[str, Any]
    named: Mapping[str, str]
    more: tuple[str, ...]
    added: tuple[Mapping[str, Any], ...]

    def flag(self, name: str, usual: bool) -> bool:
        """An option that is true or false; raises `ValueError` for one that is neither."""
        found = self.options.get(name)
        if found is None:
            return usual
        if type(found) is not bool:
            raise ValueError(
                f"{self.path} says {name} is {shown(found)}, which is neither true nor false"
            )
        return found

    def count(self, name: str, usual: int) -> int:
        """An option that is a number of tokens; raises `ValueError` for one that is none."""
        found = self.options.get(name)
        if found is None:
            return usual
        if type(found) is not int or not 0 <= found <= MAX_TOKENS:
            raise ValueError(
                f"{self.path} says {name} is {shown(found)}, which is no number of tokens"
            )
        return found


def read_token_options(folder: Path) -> TokenOptions:
    """What the files of a folder say; raises `ValueError` naming the file for a damaged one."""
    options, names = _table(folder / OPTIONS), _table(folder / NAMES)
    said = {**names, **{name: each for name, each in options.items() if each is not None}}
    named, more = {}, []
    for role in ROLES:
        if said.get(f"{role}_token") is not None:
            named[role] = _token(said[f"{role}_token"], f"{role}_token")
    for word in MORE:
        listed = said.get(word) or ()
        if isinstance(listed, dict):
            listed = list(listed.values())
        if not isinstance(listed, Sequence) or isinstance(listed, str):
            raise ValueError(f"{folder / OPTIONS} says {word} are {shown(listed)}, which are none")
        more += [_token(each, word) for each in listed]
    special = {*named.values(), *more}
    added = {**_decoder(folder, options), **_added(folder, special)}
    ordered = tuple(sorted(added.values(), key=lambda each: int(each["id"])))
    kind, further = _kind(folder, options), tuple(dict.fromkeys(more))
    return TokenOptions(folder / OPTIONS, kind, options, named, further, ordered)


def _kind(folder: Path, options: Mapping[str, Any]) -> str | None:
    """`T5` of `T5TokenizerFast`; the `model_type` where the class is that of all or none."""
    found = options.get("tokenizer_class")
    if isinstance(found, str):
        name = found.removesuffix("Fast").removesuffix("Tokenizer")
        if name not in ("", "PreTrained", "TokenizersBackend"):
            return name
    family = _table(folder / CONFIG).get("model_type")
    return family if isinstance(family, str) else None


def _added(folder: Path, special: set[str]) -> dict[str, dict[str, Any]]:
    """The tokens of `added_tokens.json`; a token with a role is no text."""
    found = {}
    for token, number in _table(folder / ADDED).items():
        _require_number(folder / ADDED, token, number)
        found[token] = {"id": number, "content": token, "special": token in special, **PLAIN}
    return found


def _decoder(folder: Path, options: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The tokens of `added_tokens_decoder`, whose keys are their numbers."""
    path, word = folder / OPTIONS, "added_tokens_decoder"
    listed = options.get(word) or {}
    if not isinstance(listed, dict):
        raise ValueError(f"{path} says {word} is {shown(listed)}, which is no table")
    found = {}
    for key, each in listed.items():
        token = _token(each, word)
        _require_number(path, token, int(key) if key.isascii() and key.isdigit() else key)
        flags = {name: each.get(name, no) is True for name, no in PLAIN.items()}
        special = each.get("special") is True
        found[token] = {"id": int(key), "content": token, "special": special, **flags}
    return found


def _require_number(path: Path, token: str, number: object) -> None:
    if type(number) is not int or not 0 <= number < MAX_TOKENS:
        raise ValueError(f"{path} gives the token {shown(token)} the number {shown(number)}")


def _token(said: Any, word: str) -> str:
    """The text of a token, which is said alone or with what surrounds it."""
    found = said.get("content") if isinstance(said, dict) else said
    if not isinstance(found, str) or not found:
        raise ValueError(f"{word} is {shown(said)}, which is no token")
    return found


def _table(path: Path) -> dict[str, Any]:
    try:
        found = read_json(read_file(path)) if path.exists() else {}
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error}") from None
    if not isinstance(found, dict):
        raise ValueError(f"{path} is no table, but {shown(found)}")
    return found

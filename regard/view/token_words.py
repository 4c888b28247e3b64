"""Which tokens make a word together, by the marks that tokenizers leave."""

from collections.abc import Sequence

_CONTINUES = "##"
_BEGINS = ("Ġ", "▁", " ", "Ċ")
_ENDS = "</w>"


def words_of(tokens: Sequence[str]) -> list[int] | None:
    """The number of the word of each token; None where the tokens bear no marks of words.

    >>> words_of(["[CLS]", "regard", "##ing", "it"])
    [0, 1, 1, 2]
    >>> words_of(["▁un", "like", "▁this", "</s>"]), words_of(["un", "like"])
    ([0, 0, 1, 2], None)
    """
    if any(token.startswith(_CONTINUES) and len(token) > 2 for token in tokens):
        return _numbered([not _is_piece(token) for token in tokens])
    if any(token.endswith(_ENDS) for token in tokens):
        ended = [True, *(token.endswith(_ENDS) for token in tokens)]
        return _numbered(ended[: len(tokens)])
    if sum(token.startswith(_BEGINS) for token in tokens) * 8 >= len(tokens) > 0:
        opens = [token.startswith(_BEGINS) or is_special(token) for token in tokens]
        after = [False, *(is_special(token) for token in tokens)]
        return _numbered([a or b for a, b in zip(opens, after, strict=False)])
    return None


def is_special(token: str) -> bool:
    """Whether a token is none of the text: `[CLS]`, `</s>`, `<|endoftext|>`.

    >>> [is_special(token) for token in ("[SEP]", "<pad>", "<", "[ab")]
    [True, True, False, False]
    """
    return len(token) > 2 and (token[0], token[-1]) in (("[", "]"), ("<", ">"))


def _is_piece(token: str) -> bool:
    return token.startswith(_CONTINUES) and len(token) > 2


def _numbered(opens: Sequence[bool]) -> list[int]:
    numbers, word = [], -1
    for number, begins in enumerate(opens):
        word += begins or number == 0
        numbers.append(word)
    return numbers

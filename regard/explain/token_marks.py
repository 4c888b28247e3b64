"""Which tokens form a word, by the marks that tokenizers leave."""

from collections.abc import Sequence

from regard.explain.words import Words, words_of_starts

_CONTINUES = "##"
_BEGINS = ("Ġ", "▁", " ", "Ċ")
_ENDS = "</w>"


def words_of_tokens(tokens: Sequence[str]) -> Words | None:
    """The words of tokens, by their spelling; None if the tokens carry no word marks.

    Marks are WordPiece's `##`, BPE's `</w>`, and `Ġ` or `▁` before a word, if at least an eighth of
    the tokens have it. A tokenizer's `word_ids` and `offsets` are more reliable.

    Raises:
        TypeError: a text instead of its tokens.

    Example:
        >>> words_of_tokens(["[CLS]", "regard", "##ing", "it"]).spans
        ((0, 1), (1, 3), (3, 4))
        >>> words_of_tokens(["▁un", "like", "▁this", "</s>"]).of_each, words_of_tokens(["un", "do"])
        ([0, 0, 1, 2], None)
    """
    if isinstance(tokens, str):
        raise TypeError("words_of_tokens needs a list of tokens, got one text: cut it first.")
    if any(_is_piece(token) for token in tokens):
        begins = [not _is_piece(token) for token in tokens]
    elif any(token.endswith(_ENDS) for token in tokens):
        begins = [True, *(token.endswith(_ENDS) for token in tokens)][: len(tokens)]
    elif sum(token.startswith(_BEGINS) for token in tokens) * 8 >= len(tokens) > 0:
        after = [False, *map(is_special, tokens)]
        begins = [
            token.startswith(_BEGINS) or is_special(token) or behind
            for token, behind in zip(tokens, after, strict=False)
        ]
    else:
        return None
    return words_of_starts([n for n, one in enumerate(begins) if one or n == 0], len(tokens))


def is_special(token: str) -> bool:
    """Whether a token is a special token: `[CLS]`, `</s>`, `<|endoftext|>`.

    >>> [is_special(token) for token in ("[SEP]", "<pad>", "<", "[ab")]
    [True, True, False, False]
    """
    return len(token) > 2 and (token[0], token[-1]) in (("[", "]"), ("<", ">"))


def _is_piece(token: str) -> bool:
    return token.startswith(_CONTINUES) and len(token) > 2

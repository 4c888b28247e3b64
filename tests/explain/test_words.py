"""Words: sums over keys, means over queries, and which tokens they are."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from regard.explain import (
    Explanation,
    Words,
    merge_words,
    words_of_ids,
    words_of_offsets,
    words_of_tokens,
)
from tests.explain.drawn import weights


def groups(lengths: list[int]) -> Words:
    ends = np.cumsum(lengths).tolist()
    return Words(tuple(zip([0, *ends[:-1]], ends, strict=True)))


LENGTHS = st.lists(st.integers(1, 3), min_size=1, max_size=4)


@given(LENGTHS, LENGTHS)
def test_merging_sums_over_keys_and_averages_over_queries(rows: list[int], keys: list[int]) -> None:
    q, k = groups(rows), groups(keys)
    matrix = weights(2, sum(rows), sum(keys))
    found = merge_words(matrix, q, k).values
    assert found.shape == (2, len(rows), len(keys))
    for b, a, c in np.ndindex(2, len(rows), len(keys)):
        total = 0.0
        for row in range(*q.spans[a]):
            for column in range(*k.spans[c]):
                total += matrix[b, row, column].item()
        assert found[b, a, c].item() == pytest.approx(total / rows[a])
    torch.testing.assert_close(found.sum(-1), torch.ones(2, len(rows)).double())


@given(LENGTHS)
def test_words_of_one_token_change_nothing(lengths: list[int]) -> None:
    matrix = weights(sum(lengths), sum(lengths))
    alone = groups([1] * sum(lengths))
    torch.testing.assert_close(merge_words(matrix, alone, alone).values, matrix)
    assert torch.equal(merge_words(matrix, None, None).values, matrix)


def test_axes_keep_their_names() -> None:
    matrix = weights(2, 3, 4, 4)
    words = Words(((0, 2), (2, 4)))
    named = merge_words(Explanation(matrix, ("batch", "head", "query", "key")), words, None)
    assert named.axes == ("batch", "head", "query", "key") and named.values.shape == (2, 3, 2, 4)
    assert merge_words(matrix, words, words).axes == ("batch_0", "batch_1", "query", "key")
    with pytest.raises(ValueError, match="query and key as the last axes"):
        merge_words(Explanation(matrix, ("query", "key", "batch", "head")), words, None)


def test_words_are_those_of_a_tokenizer() -> None:
    tokenizers = pytest.importorskip("tokenizers")
    text = "unbelievable things, unbelievable"
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    trainer = tokenizers.trainers.BpeTrainer(special_tokens=["[CLS]", "[SEP]"], vocab_size=40)
    tokenizer.train_from_iterator(["un believ able things, things,"], trainer)
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 0), ("[SEP]", 1)]
    )
    encoding = tokenizer.encode(text)
    words = words_of_ids(encoding.word_ids)
    assert words == words_of_offsets(text, encoding.offsets)
    assert words.tokens == len(encoding.ids) and len(words) == 5
    covered = [
        text[encoding.offsets[first][0] : encoding.offsets[last - 1][1]]
        for first, last in words.spans[1:-1]
    ]
    assert covered == text.split()


def test_a_pair_of_texts_and_tokens_with_spaces_in_front() -> None:
    assert words_of_ids([None, 0, 0, None, 0, 1, None]).spans == (
        (0, 1), (1, 3), (3, 4), (4, 5), (5, 6), (6, 7)
    )  # fmt: skip
    assert words_of_offsets("a bc", [(0, 1), (1, 3), (3, 4)]).spans == ((0, 1), (1, 3))
    assert words_of_offsets("", []).spans == () == words_of_ids([]).spans
    assert words_of_offsets("a  b", [(0, 1), (1, 2), (2, 4)]).spans == ((0, 1), (1, 2), (2, 3))


@pytest.mark.usefixtures("as_users_have_it")
def test_what_does_not_fit_is_refused() -> None:
    words = Words(((0, 2), (2, 4)))
    with pytest.raises(ValueError, match="key words have 4 tokens, and the weights 5"):
        merge_words(weights(4, 5), words, words)
    with pytest.raises(ValueError, match="query words have 4 tokens, and the weights 3"):
        merge_words(weights(3, 4), words, words)
    with pytest.raises(TypeError, match=r"\[..., q_len, k_len\], got \[3\]"):
        merge_words(torch.ones(3), words, words)
    with pytest.raises(TypeError, match="torch.int64"):
        merge_words(torch.ones(4, 4).long(), words, words)
    with pytest.raises(ValueError, match=r"span \(3, 4\) does not begin at token 2"):
        Words(((0, 2), (3, 4)))
    with pytest.raises(ValueError, match="token 1 covers .2, 9. of a text of 5 characters"):
        words_of_offsets("a fox", [(0, 1), (2, 9)])
    with pytest.raises(TypeError, match="whole numbers or None, got 'x'"):
        words_of_ids([0, "x"])  # type: ignore[list-item]


@pytest.mark.parametrize(
    "tokens,words",
    [
        (["un", "##like", "##ly", "[SEP]", "a"], [0, 0, 0, 1, 2]),
        (["Ġthe", "Ġcat", "s", "."], [0, 1, 1, 1]),
        (["<s>", "▁a", "b", "</s>", "c"], [0, 1, 1, 2, 3]),
        (["lo", "w</w>", "er</w>"], [0, 0, 1]),
        (["a", "b"], None),
        ([], None),
    ],
)
def test_words_are_told_by_the_marks_of_tokenizers(
    tokens: list[str], words: list[int] | None
) -> None:
    found = words_of_tokens(tokens)
    assert (found.of_each if found else None) == words


def test_a_text_is_no_list_of_tokens() -> None:
    with pytest.raises(TypeError, match="list of tokens, got one text"):
        words_of_tokens("a text")

"""Documents are rows of tokens in which every sentence ends."""

import pytest

from regard.data.encoding.documents import DocumentCoder, sentences_of
from regard.data.encoding.tokenizer import Tokenizer

TOKENIZER = Tokenizer.train(["it rains . a b"], "words", 20)
CODER = DocumentCoder(TOKENIZER)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("no mark", ["no mark"]),
        ('He said "go." Then', ['He said "go', "Then"]),
        ("a . b .\nc .", ["a . b .", "c ."]),
        ("\n\na\n \n", ["a"]),
        ("", []),
        (" \n ", []),
    ],
)
def test_lines_are_sentences_and_a_single_line_is_cut_at_its_marks(
    text: str, wanted: list[str]
) -> None:
    assert [s.rstrip('."') for s in sentences_of(text)] == [s.rstrip('."') for s in wanted]


def test_each_sentence_is_followed_by_an_end_and_documents_stay_apart() -> None:
    texts = ["it rains\na b", "", "a", "zzz"]
    found = [CODER.tokens(row.tolist()) for row in CODER.encode(texts)]
    assert found == [
        ["it", "rains", "</s>", "a", "b", "</s>"],
        [],
        ["a", "</s>"],
        ["<unk>", "</s>"],
    ]
    assert CODER.encode([]).lengths.tolist() == []

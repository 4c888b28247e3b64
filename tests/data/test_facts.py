"""Generated passages tell what is asked, or do not, and the answer stands where they say."""

import pytest

from regard.data.encoding.answer_spans import span_of
from regard.data.encoding.hashed_words import word_spans
from regard.data.schema import SPLITS
from regard.data.synthetic.facts import KINDS, PEOPLE, STRANGERS, fact_rows


@pytest.mark.parametrize("split", SPLITS)
def test_an_answer_stands_where_it_is_said_and_answers_the_question(split: str) -> None:
    silent = 0
    for context, question, answer, start, answers in fact_rows(split, 400, seed=1):
        (who,) = {word.strip("?") for word in question.split()} & {*PEOPLE, *STRANGERS}
        kind = next(k for k in KINDS if any(f.format(who=who) == question for f in k.asked))
        told = [
            each
            for sentence in context.split(". ")
            for each in kind.answers
            if any(form.format(who=who, what=each).strip(".") in sentence for form in kind.told)
        ]
        assert told == [answer] * bool(answer)
        assert answers == answer and bool(start) == bool(answer)
        if not answer:
            silent += 1
            continue
        assert context.startswith(answer, int(start))
        first, last = span_of(context, answer, start)
        spans = word_spans(context)
        assert context[spans[first - 1][0] : spans[last - 1][1]] == answer
        assert int(start) == spans[first - 1][0]
    assert 0.1 < silent / 400 < 0.25


def test_strangers_come_in_data_to_judge_by_alone() -> None:
    def told(split: str) -> str:
        return " ".join(row[0] + row[1] for row in fact_rows(split, 1000, 0))

    assert not any(who in told("train") for who in STRANGERS)
    assert all(who in told("valid") for who in STRANGERS)


def test_the_same_seed_gives_the_same_rows_and_another_split_others() -> None:
    one, other = (list(fact_rows("valid", 9, 0)) for _ in range(2))
    assert one == other != list(fact_rows("test", 9, 0))
    with pytest.raises(ValueError, match="split must be one of train, valid, test, got 'dev'"):
        next(fact_rows("dev", 1, 0))

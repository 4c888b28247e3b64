"""Predictions of a trained network row by row, and their statistics."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from regard.data.reading.cells import label_text
from regard.data.reading.numbers_written import number_in
from regard.data.schema import Cell, ColumnKind, Schema
from regard.run.questions import Question
from regard.tasks.predictor import Answer, Predictor
from regard.view.terminal import visible

AT_ONCE = 64
"""Rows predicted together."""
NAMED = 3
"""How many unreadable rows a message lists."""


@dataclass(frozen=True)
class Reply:
    """The reply to a row: an answer, or none, with the reason if the row is not empty."""

    row: int
    question: Question
    answer: Answer | None = None
    why: str = ""


def replies(
    predictor: Predictor,
    questions: Iterable[Question],
    num_answers: int = 1,
    *,
    at_once: int = AT_ONCE,
    strict: bool = False,
) -> Iterator[Reply]:
    """A reply to each row, in order; `at_once` rows are read ahead and predicted together.

    Raises `ValueError` for a row that cannot be read if `strict`.
    """
    left, number = iter(questions), 0
    while some := list(islice(left, at_once)):
        for question, (answer, why) in zip(
            some, _asked(predictor, some, num_answers, strict), strict=True
        ):
            number += 1
            yield Reply(number, question, answer, why)


_Said = tuple[Answer | None, str]


def _asked(
    predictor: Predictor, some: list[Question], num_answers: int, strict: bool
) -> list[_Said]:
    said: list[_Said] = [(None, question.why) for question in some]
    if strict and (why := next((why for _, why in said if why), "")):
        raise ValueError(why)
    places = [n for n, question in enumerate(some) if question.asked is not None]
    inputs = [some[n].asked for n in places]
    try:
        answers = predictor.predict(inputs, num_answers) if inputs else []
    except ValueError:
        if strict:
            raise
        for place in places:
            said[place] = _alone(predictor, some[place], num_answers)
        return said
    for place, answer in zip(places, answers, strict=True):
        said[place] = answer, ""
    return said


def _alone(predictor: Predictor, question: Question, num_answers: int) -> _Said:
    """The answer to a row by itself, one of those beside it cannot be read."""
    try:
        return predictor.predict([question.asked], num_answers)[0], ""
    except ValueError as error:
        return None, f"{question.where}: {error}"


@dataclass
class Tally:
    """Statistics of replies.

    Args:
        schema: of the task, which defines the right answers.
        exact: whether labels that differ in case are different.
    """

    schema: Schema
    exact: bool = False
    rows: int = 0
    empty: int = 0
    unread: int = 0
    why: list[str] = field(default_factory=list)
    """The reasons for the first unreadable rows."""
    strange: int = 0
    """Rows with something that the network has never seen."""
    seen_never: str = ""
    compared: int = 0
    right: int = 0
    error: float = 0.0

    def add(self, reply: Reply) -> None:
        """Count a reply."""
        self.rows += 1
        if reply.why:
            self.unread += 1
            self.why += [reply.why] if len(self.why) < NAMED else []
        elif reply.answer is None:
            self.empty += 1
        else:
            if reply.answer.unknown:
                self.strange += 1
                self.seen_never = self.seen_never or reply.answer.unknown[0]
            self._compare(reply.question.right, reply.answer.best)

    @property
    def answered(self) -> int:
        """Rows that were answered."""
        return self.rows - self.empty - self.unread

    def _compare(self, wanted: Cell | None, answer: str) -> None:
        role = self.schema.right
        if role is None or wanted is None or wanted != wanted:
            return
        if wanted == "" and not role.blank:
            return
        self.compared += 1
        if role.kind is ColumnKind.FLOAT:
            self.error += abs(float(wanted) - (number_in(answer) or 0.0))
            return
        plain = self._plain(str(wanted))
        if role.kind is ColumnKind.LIST:
            names = plain.split("\t")
            several = [self._plain(each) for each in answer.split(", ")]
            self.right += self._plain(answer) == " ".join(names) or {*several} == {*names}
        else:
            self.right += self._plain(answer) == plain

    def _plain(self, text: str) -> str:
        text = "\t".join(label_text(each, "", "") for each in text.split("\t"))
        return text if self.exact else text.casefold()

    def lines(self, strange: bool = True) -> list[str]:
        """The report after all rows are answered, including what is `strange` about them."""
        said = []
        if self.unread:
            more = f", and {self.unread - len(self.why):,} more" if self.unread > NAMED else ""
            rows = "1 row" if self.unread == 1 else f"{self.unread:,} rows"
            said.append(f"no answer to {rows} of {self.rows:,}: {'; '.join(self.why)}{more}")
        if self.strange and strange:
            rows = "1 row has" if self.strange == 1 else f"{self.strange:,} rows have"
            what = visible(self.seen_never)
            said.append(f"{rows} what the network has never seen, such as {what}")
        if self.compared and self.schema.right:
            if self.schema.right.kind is ColumnKind.FLOAT:
                mean = self.error / self.compared
                said.append(f"{self.compared:,} answers are off by {mean:.4g} on average")
            else:
                share = self.right / self.compared
                said.append(f"{self.right:,} of {self.compared:,} answers are right ({share:.1%})")
        return said

"""Whether anybody can mean a table so: what speaks against a reading."""

from collections.abc import Iterable, Sequence

from regard.data.reading.cells import EACH, SPACED, Bound
from regard.data.reading.fits import EXACT, PARTLY, SMALL, fit, name_fit, spelled
from regard.data.reading.languages import is_language
from regard.data.reading.profile import WORDS_FROM, Holds, Profile
from regard.data.reading.readings import TELLING, Columns, is_own
from regard.data.reading.request import DataRequest
from regard.data.reading.role_choices import has_twin
from regard.data.reading.word_for_word import stands_within, word_for_word
from regard.data.schema import Column, ColumnKind, Schema

_ANY_LABEL = Column("label", kind=ColumnKind.LABEL)
COMMON = 0.4
"""Share of the words of one side that the other has where both are of one language."""
_TITLES = frozenset("title titles headline heading subject".split())
_SIDES = (Holds.TEXT, Holds.LABEL)


def suits(
    schema: Schema,
    bounds: Sequence[Bound],
    columns: Columns,
    left: Sequence[Profile],
    request: DataRequest,
) -> bool:
    """Whether a table may be meant so."""
    told = bool(request.task or columns.asked)
    if schema.running_text and not told:
        by_name = name_fit(schema.columns[0], bounds[0].columns[0]) >= EXACT - 0.5
        lost = [each for each in left if each.holds in TELLING and not is_own(each)]
        lost += [each for each in left if _is_answer(each, request)]
        return not lost and (by_name or len(columns.profiles) == 1)
    roles = [(b, r) for b, r in zip(bounds, schema.columns, strict=True) if b.columns]
    if request.task and not columns.asked and not columns.unnamed:
        # Columns that are called as those of other tasks are not meant for this one.
        others = [spelled(name) in request.lexicon.words for name in columns.values]
        if any(others) and not any(name_fit(r, b.columns[0]) for b, r in roles):
            return False
    if columns.unnamed and not columns.asked and told:
        if any(fit(r, columns.profile(b.columns[0])) < 1.5 for b, r in roles if not r.optional):
            return False
    if not told and not _is_likely(schema, roles, columns):
        return False
    if not told and schema.parallel and _leaves_an_answer(roles, left, request):
        return False
    if not told and schema.parallel and any(_is_plain(b, columns) for b, _ in roles):
        return False
    if not told and word_for_word(schema, bounds, columns) < 0:
        return False
    if not told and schema.picture_folders and _is_caption(roles, request):
        return False
    if not told and schema.any_two and _are_titled(roles):
        return False
    if not told and schema.any_two and unanswered(columns, request):
        # What has the names of another task is no pair of any two texts.
        if not any(name_fit(role, bound.columns[0]) for bound, role in roles):
            return False
    return _in_order(schema, bounds, columns)


def _is_plain(bound: Bound, columns: Columns) -> bool:
    """Whether a column holds numbers or times, which nobody translates."""
    return columns.profile(bound.columns[0]).holds in (Holds.NUMBER, Holds.WHOLE, Holds.TIME)


def _are_titled(roles: Sequence[tuple[Bound, Column]]) -> bool:
    """Whether two columns are texts and their titles, which nobody translates."""
    names = {spelled(bound.columns[0]) for bound, role in roles if bound.columns}
    return "text" in names and bool(names & _TITLES)


def _is_caption(roles: Sequence[tuple[Bound, Column]], request: DataRequest) -> bool:
    """Whether a column is called what is said of pictures, and so is no label of them."""
    captions = request.first(lambda schema: schema.caption_folders)
    names = {spelled(bound.columns[0]) for bound, _ in roles}
    said = captions.required[-1].name if captions else None
    return said is not None and bool(names & {said, f"{said}s"})


def unanswered(columns: Columns, request: DataRequest) -> tuple[Schema, tuple[str, ...]] | None:
    """The task whose questions a table has by their names, without answers; and its columns."""
    for schema in request.schemas:
        right = schema.right
        if len(schema.inputs) < 2 or schema.twins or right is None:
            continue
        named = [_called(role, columns) for role in schema.inputs]
        answers = _called(right, columns)
        if answers and columns.profile(answers).holds is Holds.NOTHING:
            answers = None
        if all(named) and not answers:
            return schema, tuple(each for each in named if each)
    return None


def _called(role: Column, columns: Columns) -> str | None:
    return next((name for name in columns.values if name_fit(role, name) > PARTLY), None)


def _is_likely(schema: Schema, roles: Sequence[tuple[Bound, Column]], columns: Columns) -> bool:
    """Whether anybody who said nothing can mean a table so."""
    if schema.twins and not _are_sides(roles[:2], columns):
        return False
    first = columns.profile(roles[0][0].columns[0])
    same = first.same and first.filled >= SMALL
    if len(schema.required) == 2 and same and not schema.aligned:
        return False
    by_name = [
        bool(
            b.mark in (EACH, SPACED)
            or columns.says(r, b.columns[0])
            or (schema.twins and has_twin(b.columns[0], columns))
            or stands_within(schema, r, b.columns[0], columns)
        )
        for b, r in roles
        if not r.optional
    ]
    if any(role.kind is ColumnKind.NAME for role in schema.required):
        timed = any(role.kind is ColumnKind.TIME for _, role in roles)
        if columns.unnamed:
            # In the order of MovieLens: user, item, rating, time.
            places = [columns.place(b.columns[0]) for b, _ in roles[:2]]
            held = {columns.profile(b.columns[0]).holds for b, _ in roles[:2]}
            rated = [r for b, r in roles if r.kind is ColumnKind.NUMBER]
            ids = held == {Holds.WHOLE} or (bool(rated) and held <= {Holds.LABEL, Holds.NAME})
            return timed and places == [0, 1] and ids
        told = timed or _are_rated(roles, columns)
        histories = columns.histories.intersection(b.columns[0] for b, _ in roles)
        return all(by_name) or (any(by_name) and (told or bool(histories)))
    if len(schema.required) > 2 and sum(by_name) < len(schema.required) - 1:
        return schema.twins and columns.unnamed and _are_measured(roles, columns)
    # A column that is called otherwise has to hold what the role is made of.
    least = 1.5 if len(schema.required) < 3 else 1.8
    return all(
        known
        or fit(r, columns.profile(b.columns[0])) >= least
        or (r.kind is ColumnKind.LIST and b.columns[0] in columns.spaced)
        for known, (b, r) in zip(by_name, roles, strict=False)
    )


def _are_rated(roles: Sequence[tuple[Bound, Column]], columns: Columns) -> bool:
    """Whether users rated what comes back, and no text is beside: then it is what they chose."""
    rated = any(r.kind is ColumnKind.NUMBER and columns.says(r, b.columns[0]) for b, r in roles)
    item = columns.profile(roles[1][0].columns[0])
    texts = any(each.holds is Holds.TEXT for each in columns.profiles)
    return rated and item.repeats and item.words < WORDS_FROM and not texts


def _are_measured(roles: Sequence[tuple[Bound, Column]], columns: Columns) -> bool:
    """Whether a number says how alike two texts of one language are: of many equal words."""
    if roles[-1][1].kind is not ColumnKind.FLOAT:
        return False
    number = columns.profile(roles[-1][0].columns[0])
    one, two = (_words(columns.values[bound.columns[0]]) for bound, _ in roles[:2])
    alike = len(one & two) >= COMMON * min(len(one), len(two))
    return number.holds is Holds.NUMBER and alike


def _words(texts: Iterable[object]) -> set[str]:
    return {word for text in texts for word in str(text).lower().split() if word.isalpha()}


def _is_answer(column: Profile, request: DataRequest) -> bool:
    """Whether a column is called as the labels or numbers of a task are, whatever is in it."""
    right = [schema.right for schema in request.candidates if len(schema.required) == 2]
    kinds = (ColumnKind.LABEL, ColumnKind.LIST, ColumnKind.FLOAT)
    return any(
        role is not None and role.kind in kinds and name_fit(role, column.name) > PARTLY
        for role in right
    )


def _leaves_an_answer(
    roles: Sequence[tuple[Bound, Column]], left: Sequence[Profile], request: DataRequest
) -> bool:
    """Whether two texts are taken for a pair beside labels, or from a column that is called so."""
    used = [(role, bound.columns[0]) for bound, role in roles]
    if all(name_fit(role, name) or is_language(name) for role, name in used):
        return False
    if any(fit(_ANY_LABEL, each) >= 2.5 for each in left):
        return True
    others = [Profile(name, Holds.TEXT) for role, name in used if not name_fit(role, name)]
    return any(_is_answer(each, request) for each in others)


def _are_sides(roles: Sequence[tuple[Bound, Column]], columns: Columns) -> bool:
    """Whether two columns are the sides of pairs: by their names, or as texts of one length."""
    names = [bound.columns[0] for bound, _ in roles]
    if all(name_fit(role, name) for (_, role), name in zip(roles, names, strict=True)):
        return True
    held = [columns.profile(name) for name in names]
    if all(has_twin(name, columns) for name in names):
        # The answers to two questions, of which one was to be chosen, are called alike too.
        return not any(each.coded for each in held) and held[0].few == held[1].few
    short, long = sorted(each.length for each in held)
    texts = all(each.words >= WORDS_FROM and each.holds in _SIDES for each in held)
    return columns.unnamed and texts and long <= 2 * short


def _in_order(schema: Schema, bounds: Sequence[Bound], columns: Columns) -> bool:
    """Whether columns that nothing tells apart stand as the roles do: source, then target."""
    last: dict[ColumnKind, int] = {}
    for bound, role in zip(bounds, schema.required, strict=False):
        if bound.mark == SPACED:
            continue
        if not bound.columns or name_fit(role, bound.columns[0]) or role.asked in columns.asked:
            continue
        place = columns.place(bound.columns[0])
        if place < last.get(role.kind, -1):
            return False
        last[role.kind] = place
    return True

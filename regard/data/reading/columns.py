"""Which columns of a table are the text, the label, the source and the target."""

from collections.abc import Callable, Sequence
from difflib import get_close_matches

COLUMNS = {
    "translate": ("source", "target"),
    "classify": ("text", "label"),
    "language_model": ("text",),
    "match": ("left", "right", "label"),
    "answer": ("story", "question", "answer", "support"),
    "recommend": ("user", "item", "rating", "timestamp", "category"),
}
"""Task → the columns of its examples; of recommend there may be no category."""

NEEDED = {"answer": 3, "recommend": 2}
"""Task → how many of them must be there, where some may be missing or empty."""

LABEL = {"classify": 1, "match": 2, "answer": 2}
"""Task → which of them is one of a few labels."""

WORDS = {
    "text": "text sentence review document content comment tweet message body".split(),
    "label": "label labels class category sentiment label_text".split(),
    "source": "source src input".split(),
    "target": "target tgt output".split(),
    "left": "left sentence1 text1 premise question1 sentence_a query".split(),
    "right": "right sentence2 text2 hypothesis question2 sentence_b candidate".split(),
    "story": "story context passage".split(),
    "question": ["question"],
    "answer": ["answer"],
    "support": ["support", "supporting"],
    "user": "user user_id userid user_name username".split(),
    "item": "item item_id itemid movie_id movieid product_id asin track_id book_id".split(),
    "rating": "rating ratings stars overall".split(),
    "timestamp": "timestamp time unix_time unixreviewtime".split(),
    "category": "category categories genre genres class cate_id brand".split(),
}
"""Role → what people call such a column."""

NUMBERS = frozenset(WORDS["rating"] + WORDS["timestamp"])
"""Columns that may hold numbers with a point."""

LANGUAGES = frozenset(
    "af am ar az be bg bn bs ca cs cy da de el en eo es et eu fa fi fr ga gl gu ha he hi hr hu hy "
    "id ig is it ja jv ka kk km kn ko ky la lb lo lt lv mg mi mk ml mn mr ms mt my nb ne nl nn no "
    "or pa pl ps pt ro ru rw sd si sk sl so sq sr su sv sw ta te tg th tk tl tr tt ug uk ur uz vi "
    "wo xh yi yo zh zu eng deu ger fra fre ita spa ces cze rus zho chi jpn".split()
)

Texts = Callable[[tuple[str, ...]], Sequence[tuple[str, ...]]]
"""Columns → the first rows of them."""


def is_language(name: str) -> bool:
    """Whether a column or an ending is called as a language is.

    >>> is_language("en"), is_language("pt_BR"), is_language("translation.de"), is_language("id2")
    (True, True, True, False)
    """
    return name.split(".")[-1].lower().replace("_", "-").split("-")[0] in LANGUAGES


def is_header(cells: Sequence[str]) -> bool:
    """Whether a first row names columns: it has a known name, or nothing but languages."""
    # No table is known by its categories alone, and a text may be about a brand.
    known = {word for role, words in WORDS.items() if role != "category" for word in words}
    return any(cell.strip().lower() in known for cell in cells) or (
        len(cells) > 1 and all(is_language(cell) and len(cell) <= 5 for cell in cells)
    )


def suggestion(name: str, known: Sequence[str]) -> str:
    """A hint for a name that is not among those known.

    >>> suggestion("txt", ["text", "label"])
    'did you mean text?'
    """
    near = get_close_matches(name, list(known), 3)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"there are {', '.join(list(known)[:10]) or 'none'}"


def chosen(
    names: tuple[str, ...],
    texts: Texts,
    where: str,
    task: str | None = None,
    source: str | None = None,
    target: str | None = None,
) -> tuple[str, tuple[str, ...]]:
    """The task and its columns, from what the caller said, the names, and the first rows.

    `source` names the source or the text, `target` the target or the label.

    Raises `ValueError` when a name is not there, and when several readings are as likely.
    """
    for option, name in (("--source", source), ("--target", target)):
        if name is not None and name not in names:
            hint = suggestion(name, names)
            raise ValueError(f"{where} has no column {name!r} ({option}); {hint}")
    asked = source is not None or target is not None
    for kind in ("recommend", "answer", "match"):
        if task == kind or (task is None and not asked):
            found = _several(names, kind, task == kind, where)
            if found:
                return kind, found
    if task == "language_model" or (len(names) == 1 and names[0].lower() in WORDS["text"]):
        return "language_model", (_text(names, source, where),)
    if len(names) == 1:
        raise ValueError(
            f"{where} has one column only, {names[0]!r}; pass --task language_model to learn to "
            "continue its texts"
        )
    pair = _pair(names, task, source, target, where)
    if task is None:
        task = _task(pair, source is None and target is None, texts)
        if task == "translate" and source is None and pair[0].lower() in WORDS["text"]:
            return "language_model", (pair[0],)
    if task == "classify" and source is None and target is None and not _named(pair):
        pair = _label_last(pair, texts)
    return task, pair


def _several(names: tuple[str, ...], task: str, sure: bool, where: str) -> tuple[str, ...] | None:
    """The columns of a task that has more than two, "" for one that is missing and may be.

    When the task is `sure`, columns whose names mean nothing are taken as they stand.
    Raises `ValueError` when it is and there are too few or too many of them.
    """
    roles, needed = COLUMNS[task], NEEDED.get(task, len(COLUMNS[task]))
    lower = {name.lower(): name for name in names}
    words = {role: WORDS[role] for role in roles}
    if task == "match":
        # The answers to a question may be its right or wrong ones.
        words["left"] = [*words["left"], *WORDS["question"]]
        words["right"] = [*words["right"], *WORDS["answer"], *WORDS["text"][:2]]
    found = tuple(next((lower[w] for w in words[role] if w in lower), "") for role in roles)
    if all(found[:needed]) and len(set(found[:needed])) == needed:
        return _without_category(task, found)
    if not sure:
        return None
    meant = {word for words in WORDS.values() for word in words} & lower.keys()
    if meant or not needed <= len(names) <= len(roles):
        raise ValueError(
            f"{where} has columns {', '.join(names)}; to {task}, call the columns "
            f"{' and '.join(roles[:needed])}"
        )
    return _without_category(task, (*names, *[""] * (len(roles) - len(names))))


def _without_category(task: str, columns: tuple[str, ...]) -> tuple[str, ...]:
    return columns[:-1] if task == "recommend" and not columns[-1] else columns


def _named(pair: tuple[str, str]) -> bool:
    return any(name.lower() in WORDS["label"] + WORDS["text"] for name in pair)


def _text(names: tuple[str, ...], source: str | None, where: str) -> str:
    if source is not None or len(names) == 1:
        return source or names[0]
    found = [name for name in names if name.lower() in WORDS["text"]]
    if len(found) != 1:
        raise ValueError(
            f"{where} has columns {', '.join(names)}; say with --source which is the text"
        )
    return found[0]


def _pair(
    names: tuple[str, ...], task: str | None, source: str | None, target: str | None, where: str
) -> tuple[str, str]:
    if source is not None and target is not None:
        return source, target
    pairs: list[tuple[str, str]] = []
    roles = {"classify": [("text", "label")], "translate": [("source", "target")]}
    for first, second in roles.get(task or "", [("text", "label"), ("source", "target")]):
        left = [name for name in names if name.lower() in WORDS[first]]
        right = [name for name in names if name.lower() in WORDS[second]]
        pairs += [(one, two) for one in left for two in right]
    if task != "classify" and not pairs:
        spoken = [name for name in names if is_language(name)]
        pairs += [(one, two) for one in spoken for two in spoken if one != two]
        pairs = pairs if source or target or len(pairs) != 2 else pairs[:1]
    if not pairs:
        pairs = [(one, two) for one in names for two in names if one != two]
        pairs = pairs if source or target or len(pairs) != 2 else pairs[:1]
    pairs = [p for p in pairs if source in (None, p[0]) and target in (None, p[1])]
    if len(pairs) != 1:
        raise ValueError(
            f"{where} has columns {', '.join(names)}; say with --source and --target which two to "
            "read (the text and its label, or the two languages), or --task language_model"
        )
    return pairs[0]


def _task(pair: tuple[str, str], guess: bool, texts: Texts) -> str:
    one, two = (name.lower() for name in pair)
    if two in WORDS["label"]:
        return "classify"
    if two in WORDS["target"] or (is_language(one) and is_language(two)):
        return "translate"
    rows = texts(pair)
    labels = [_few([row[place] for row in rows]) for place in (0, 1)]
    return "classify" if labels[1] or (guess and labels[0]) else "translate"


def _label_last(pair: tuple[str, str], texts: Texts) -> tuple[str, str]:
    rows = texts(pair)
    first, second = (len({row[place] for row in rows}) for place in (0, 1))
    return pair if second <= first else (pair[1], pair[0])


def _few(values: Sequence[str]) -> bool:
    """Whether values look like labels: short, and each used more than once on average."""
    return len(set(values)) * 2 <= len(values) and all(len(value) <= 50 for value in values)

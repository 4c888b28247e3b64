"""Languages by the names of columns and files, and whether texts can be of one, by their script."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable

CODES = frozenset(
    "af am ar az be bg bn bs ca cs cy da de el en eo es et eu fa fi fr ga gl gu ha he hi hr hu hy "
    "id ig is it ja jv ka kk km kn ko ky la lb lo lt lv mg mi mk ml mn mr ms mt my nb ne nl nn no "
    "or pa pl ps pt ro ru rw sd si sk sl so sq sr su sv sw ta te tg th tk tl tr tt ug uk ur uz vi "
    "wo xh yi yo zh zu eng deu ger fra fre ita spa ces cze rus zho chi jpn kor nld por pol".split()
)

ENGLISH_NAMES = {
    **dict(afrikaans="af", albanian="sq", arabic="ar", armenian="hy", basque="eu", bengali="bn"),
    **dict(bulgarian="bg", catalan="ca", chinese="zh", croatian="hr", czech="cs", danish="da"),
    **dict(dutch="nl", english="en", estonian="et", finnish="fi", french="fr", galician="gl"),
    **dict(georgian="ka", german="de", greek="el", hebrew="he", hindi="hi", hungarian="hu"),
    **dict(icelandic="is", indonesian="id", irish="ga", italian="it", japanese="ja", korean="ko"),
    **dict(latin="la", latvian="lv", lithuanian="lt", malay="ms", mandarin="zh", marathi="mr"),
    **dict(norwegian="no", persian="fa", polish="pl", portuguese="pt", romanian="ro"),
    **dict(russian="ru", serbian="sr", slovak="sk", slovenian="sl", spanish="es", swahili="sw"),
    **dict(swedish="sv", tamil="ta", telugu="te", thai="th", turkish="tr", ukrainian="uk"),
    **dict(urdu="ur", vietnamese="vi", welsh="cy", yoruba="yo", zulu="zu"),
    **dict(deutsch="de", englisch="en", français="fr", anglais="en", español="es", inglés="en"),
}
"""Names of languages in lower case."""

_SCRIPTS = {
    "CYRILLIC": "ru uk be bg mk sr kk ky mn tg rus",
    "ARABIC": "ar fa ur ps sd ug",
    "HEBREW": "he yi",
    "GREEK": "el",
    "DEVANAGARI": "hi mr ne",
    "CJK": "zh zho chi ja jpn",
    "HIRAGANA": "ja jpn",
    "KATAKANA": "ja jpn",
    "HANGUL": "ko kor",
    "THAI": "th",
    "ARMENIAN": "hy",
    "GEORGIAN": "ka",
    "BENGALI": "bn",
    "TAMIL": "ta",
    "TELUGU": "te",
}
_OF_LANGUAGE: dict[str, set[str]] = {}
for _script, _codes in _SCRIPTS.items():
    for _code in _codes.split():
        _OF_LANGUAGE.setdefault(_code, set()).add(_script)
# Written in Latin letters as well.
for _code in ("sr", "kk", "ky", "mn", "tg", "uz", "az", "ug"):
    _OF_LANGUAGE.setdefault(_code, set()).add("LATIN")


def language(name: str) -> str | None:
    """The language that a column or an ending is called after, if it is.

    >>> language("en"), language("pt_BR"), language("translation.de"), language("English sentences")
    ('en', 'pt', 'de', 'en')
    >>> language("id2"), language("language")
    (None, None)
    """
    code = name.split(".")[-1].lower().replace("_", "-").split("-")[0]
    if code in CODES:
        return code
    words = re.findall(r"\w+", name.lower())
    named = [ENGLISH_NAMES[word] for word in words if word in ENGLISH_NAMES]
    return named[0] if len(named) == 1 and len(words) <= 3 else None


def is_language(name: str) -> bool:
    """Whether a column or an ending is called as a language is.

    >>> is_language("en"), is_language("id2")
    (True, False)
    """
    return language(name) is not None


def script(texts: Iterable[str]) -> str | None:
    """The script of most letters, by the first word of their Unicode names, None without letters.

    >>> script(["Wie geht's?"]), script(["今天天气很好"]), script(["42"])
    ('LATIN', 'CJK', None)
    """
    counts = Counter(
        unicodedata.name(letter, "").partition(" ")[0].partition("-")[0]
        for text in texts
        for letter in text[:200]
        if letter.isalpha()
    )
    return counts.most_common(1)[0][0] if counts else None


def may_be(code: str, written: str | None) -> bool:
    """Whether texts in this script can be of a language.

    >>> may_be("de", "LATIN"), may_be("zh", "LATIN"), may_be("id", None)
    (True, False, False)
    """
    if written is None:
        return False
    return written in _OF_LANGUAGE.get(code, {"LATIN", *(["ETHIOPIC"] if code == "am" else [])})

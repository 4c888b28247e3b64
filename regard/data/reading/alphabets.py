"""Which alphabet bytes spell words in, where a text is too short for its letters to be counted."""

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

_VOWELS = "аеєиіїоуыэюяё" + "αεηιουωάέήίόύώϊϋΐΰ"
_ALPHABETS = {
    "cp1251": re.compile("[а-яёіїєґўА-ЯЁІЇЄҐЎ]+"),
    "koi8_r": re.compile("[а-яёА-ЯЁ]+"),
    "cp1253": re.compile("[ΐ-ώΆ-Ω]+"),
    "cp1255": re.compile("[\u05d0-\u05ea]+"),
}
"""Encodings in which words are spelled without ASCII letters, and these words."""
_LATIN = ("cp1252", "cp1250", "iso8859_2", "cp1254", "cp850", "cp852", "mac_roman")
"""Encodings in which letters with marks stand among those of ASCII."""
_LETTERS = tuple(
    map(
        frozenset,
        (
            *("äöüßéà", "àâæçéèêëîïôœùûü", "áéíñóúü", "ãáàâçéêíõóôúü", "àèéìíòóùú", "éèëïóöüáê"),
            *("åäöéü", "æøåéö", "áðéíóúýþæö", "äöõüšž", "ąćęłńóśźż", "áčďéěíňóřšťúůýž"),
            *("áäčďéíĺľňóôŕšťúýž", "áéíóöőúüű", "ăâîşţșț", "čćđšž", "çğıöşüâîûi̇", "ëç"),
        ),
    )
)
"""The letters beyond ASCII of European languages: German, French, Spanish, Portuguese ..."""
_MIXED = re.compile(
    rb"[A-Za-z\x80-\xff]*(?:[A-Za-z][\x80-\xff]|[\x80-\xff][A-Za-z])[A-Za-z\x80-\xff]*"
)
"""Words with letters of ASCII and others."""
_MOST_MARKED = 0.5
"""Share of the letters with marks in such words, of which one of two bytes has more."""
_STRANGE = re.compile(
    r"[^\W\d_](?:[^\w\s'’–—…-]|[¹²³ªº])[^\W\d_]|[¹²³ªº]$|[^\W\d_][¤¬¦¶¿¡]"
    "|[\x80-\x9f\ufffd]"
)
"""Signs within words or behind their letters."""
_ODD = re.compile(
    "[а-яёіїєґўα-ώ][А-ЯЁІЇЄҐΆ-Ω]"  # a capital behind a small letter
    "|^[ъьыЪЬЫ]|ς.|.σ$"
    # Kaf, mem, nun, pe and tsadi as they end words, within one; and within words, at an end.
    "|[\u05da\u05dd\u05df\u05e3\u05e5].|.[\u05db\u05de\u05e0\u05e6]$"
)
"""Letters where they never stand."""
_ENDS = re.compile("[\u05da\u05dd\u05df\u05e3\u05e5]$")
_SOUNDS = re.compile(f"[{_VOWELS}]", re.IGNORECASE)
_SILENT = re.compile(f"[^{_VOWELS}]{{5}}|[{_VOWELS}]{{5}}", re.IGNORECASE)
_ACCENTED = re.compile("[άέήίόύώΐΰ]")
_LONG = 4
"""Letters from which on a word has a vowel."""
_LEAST = 5
"""Letters by which an alphabet is known."""
_TURKISH = frozenset("çğıöşüâîûÇĞİÖŞÜÂÎÛ")


def spelled_in(sample: bytes, likely: str) -> str:
    r"""The encoding in which bytes spell words, `likely` where none does better.

    >>> spelled_in("Привіт усім".encode("cp1251"), "euc_kr")
    'cp1251'
    >>> spelled_in("שלום לכולם".encode("cp1255"), "cp1251"), spelled_in(b"caf\xe9 noir", "cp1252")
    ('cp1255', 'cp1252')
    """
    latin = _latin(sample, likely)
    if latin:
        return "cp1254" if _is_turkish(sample) else latin
    words = [word for word in re.split(rb"[^A-Za-z\x80-\xff]+", sample) if _is_foreign(word)]
    if sum(map(len, words)) < _LEAST:
        return likely
    if _is_hebrew(words):
        return "cp1255"
    odd = {name: _odd(words, name) for name in _ALPHABETS}
    best = min(odd, key=lambda name: (odd[name], name != likely))
    if likely not in odd:
        # Of two bytes a letter, or of Arabic: overruled where all is spelled well.
        return best if odd[best] == 0 and len(words) > 1 else likely
    return best if odd[best] < odd[likely] else likely


def _latin(sample: bytes, likely: str) -> str | None:
    """The encoding of words of ASCII letters with others among them, None where they are not most.

    It is that in which fewest words are strange and fewest letters are of another language than the
    rest.
    """
    mixed = _MIXED.findall(sample)
    foreign = sum(map(_is_foreign, re.split(rb"[^A-Za-z\x80-\xff]+", sample)))
    text = b" ".join(mixed)
    marked = len(re.findall(rb"[\x80-\xff]", text))
    if not mixed or len(mixed) < foreign or marked > _MOST_MARKED * len(text):
        return None
    odd = {name: _odd_letters(text.decode(name, "replace")) for name in _LATIN}
    best = min(odd, key=lambda name: (odd[name], name != likely))
    return best if likely in odd or not odd[best] else None


def _odd_letters(text: str) -> int:
    """How many signs and capitals are out of place, and letters not of the language with most."""
    letters = Counter(one for one in text.lower() if one > "\x7f" and one.isalpha())
    others = (sum(n for one, n in letters.items() if one not in known) for known in _LETTERS)
    capitals = sum(one.islower() and two.isupper() for one, two in pairwise(text))
    return len(_STRANGE.findall(text)) + capitals + min(others)


def _is_foreign(word: bytes) -> bool:
    """Whether no letter of a word is ASCII, and there are two at least."""
    return len(word) > 1 and min(word) > 0x7F


def _odd(words: Sequence[bytes], encoding: str) -> float:
    """The share of words that nobody spells so."""
    odd = sum(_is_odd(word.decode(encoding, "replace"), encoding) for word in words)
    return odd / len(words)


def _is_odd(word: str, encoding: str) -> bool:
    # Quotes and dashes of Windows stand before and behind words.
    word = word.strip("«»“”„–—…’\xa0")
    if not word:
        return False
    if not _ALPHABETS[encoding].fullmatch(word) or _ODD.search(word):
        return True
    if encoding == "cp1255":
        return False
    if encoding == "cp1253" and len(_ACCENTED.findall(word.lower())) > 1:
        return True
    return bool(_SILENT.search(word)) or (len(word) >= _LONG and not _SOUNDS.search(word))


def _is_hebrew(words: Sequence[bytes]) -> bool:
    """Whether all words end as Hebrew ones do, so many of them that it is no chance.

    In Russian the same bytes are some of its most frequent letters, anywhere in a word.
    """
    letters = sum(map(len, words))
    ended = any(_ENDS.search(word.decode("cp1255", "replace")) for word in words)
    return letters >= (8 if ended else 12) and _odd(words, "cp1255") == 0


def _is_turkish(sample: bytes) -> bool:
    """Whether all letters that are not ASCII are Turkish, with some that no other language has."""
    letters = {one for one in sample.decode("cp1254", "replace") if one.isalpha() and one > "\x7f"}
    return letters <= _TURKISH and bool(letters & {*"ğĞşŞİ"}) and bool(letters & {*"çüıÇÜ"})

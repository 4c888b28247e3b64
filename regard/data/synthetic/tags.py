"""Language tags that someone may have meant."""

from collections.abc import Sequence
from difflib import get_close_matches

from regard.data.synthetic.cldr_dates import babel


def nearest_tags(tag: str, known: Sequence[str]) -> str:
    """A hint for an unknown tag: the nearest known ones, by tag and by English name.

    >>> nearest_tags("en_US", ["de", "en", "fr"])
    'did you mean en (English)?'
    >>> nearest_tags("french", ["de", "en", "fr"])
    'did you mean fr (French)?'
    >>> nearest_tags("klingon", ["de", "en", "fr"])
    '3 are known: de, en, fr'
    """
    names = _english_names(known)
    word = tag.lower().replace("_", "-").split("-")[0][:40]
    by_name = {name.lower(): code for code, name in names.items()}
    found = [by_name[name] for name in get_close_matches(word, by_name, 3, 0.75)]
    # Tags have two or three letters: one of them wrong is near, two are not.
    found += get_close_matches(word, known, 3, 0.6)
    if not found:
        rest = " and so on" if len(known) > 10 else ""
        return f"{len(known)} are known: {', '.join(known[:10])}{rest}"
    distinct = list(dict.fromkeys(found))[:3]
    shown = [f"{code} ({names[code]})" if code in names else code for code in distinct]
    return f"did you mean {' or '.join(shown)}?"


def _english_names(tags: Sequence[str]) -> dict[str, str]:
    """English names of these languages, where Babel is installed and knows them."""
    try:
        names = babel().Locale.parse("en").languages
    except ImportError:
        return {}
    return {tag: names[tag] for tag in tags if tag in names}

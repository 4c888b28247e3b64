"""A page is one file: it loads nothing, runs its own script alone, and obeys no text."""

import base64
import hashlib
import json
import re
import unicodedata

import pytest

from regard.view.attention_page import built
from regard.view.page import embedded, page, table, text

HOSTILE = [
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)',
    "<!--<script>",
    "]]>",
    "\u2028\u2029",
    "\u202eabc",
    "\u2066x\u2069",
    "\x00\x07\x1b[31m\x9b",
    "\ud800",
    "&lt;b&gt;",
    "{title}",
]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_no_text_becomes_markup_or_is_obeyed(hostile: str) -> None:
    safe = text(hostile)
    assert not set("<>\"'") & set(safe)
    assert not any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in safe)
    assert not set(safe) & set("\u202e\u2066\u2069")
    assert "&lt;b&gt;" not in safe


def test_letters_that_need_joiners_keep_them() -> None:
    assert text("می\u200cخواهم 👩\u200d👩 a\tb\nc") == "می\u200cخواهم 👩\u200d👩 a\tb\nc"


@pytest.mark.parametrize("hostile", HOSTILE)
def test_data_survives_its_block_unchanged_and_cannot_leave_it(hostile: str) -> None:
    block = embedded({"x": [hostile]})
    assert json.loads(block) == {"x": [hostile]}
    assert block.isascii() and not set("<>&") & set(block)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_number_that_is_not_finite_never_reaches_the_data(value: float) -> None:
    with pytest.raises(ValueError):
        embedded({"x": value})


def test_the_policy_allows_this_script_and_nothing_else() -> None:
    whole = page("t", "<p>b</p>", "let x = 1;")
    scripts = re.findall(r"<script>(.*?)</script>", whole, re.DOTALL)
    policy = re.findall(r'<meta http-equiv="Content-Security-Policy" content="([^"]+)">', whole)
    assert len(scripts) == len(policy) == 1
    digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy[0]
    assert policy[0].startswith("default-src 'none'; ") and "unsafe-eval" not in policy[0]
    assert whole.index("Content-Security-Policy") < whole.index("<title>")


def test_a_page_without_a_script_runs_none() -> None:
    whole = page("t", "")
    assert "<script" not in whole and "script-src 'none'" in whole


def test_the_script_never_turns_text_into_markup_or_code() -> None:
    script = built("attention.js")
    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
        assert way not in script


def test_the_page_asks_nothing_of_a_network() -> None:
    whole = page("t", "")
    assert not re.search(r"https?:|//[a-z]|@import|url\(|src=", whole.split("<body>")[0])
    assert "prefers-color-scheme: dark" in whole and "width=device-width" in whole


def test_a_table_can_be_scrolled_with_the_keyboard_and_names_its_rows() -> None:
    drawn = table(["a", "b"], [["1", "2"]])
    assert 'tabindex="0"' in drawn and '<th scope="row">1</th><td>2</td>' in drawn

"""A page taken apart: its elements with what they say, each closed in its turn."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "input"}


@dataclass
class Element:
    tag: str
    attributes: dict[str, str]
    children: list["Element | str"] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(c if isinstance(c, str) else c.text for c in self.children)

    @property
    def kinds(self) -> list[str]:
        return self.attributes.get("class", "").split()

    def all(self, tag: str = "", kind: str = "") -> list["Element"]:
        """The elements within, in their order, of this tag and class."""
        found = []
        for child in self.children:
            if not isinstance(child, str):
                if (not tag or child.tag == tag) and (not kind or kind in child.kinds):
                    found.append(child)
                found += child.all(tag, kind)
        return found


class _Builder(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open = [Element("", {})]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert not any(name.startswith("on") for name, _ in attrs)
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open[-1].children.append(Element(tag, {n: v or "" for n, v in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop().tag == tag

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def parsed(html: str) -> Element:
    """The whole as one element; raises `AssertionError` where something is not closed."""
    builder = _Builder()
    builder.feed(html)
    builder.close()
    (whole,) = builder.open
    return whole


def section(page: Element, title: str) -> Element:
    """The section under a heading."""
    return next(s for s in page.all("section") if s.all("h2")[0].text == title)

"""Texts of shop exports to plain text: tags off, entities to the characters they stand for.

Only what is surely HTML counts: elements by their names, entities by theirs. "a < b", "5 > 3",
"I <3 wool", "<XL>" and "R&D" are texts and stay.
"""

import html
import html.entities
import html.parser
import re

_INLINE = frozenset(
    "a abbr acronym b bdi bdo big cite code data del dfn em font i ins kbd label mark nobr q s samp"
    " small span strike strong sub sup time tt u var wbr".split()
)
_BLOCKS = frozenset(
    "address area article aside audio base basefont blockquote body br button canvas caption center"
    " col colgroup datalist dd details dialog dir div dl dt embed fieldset figcaption figure footer"
    " form frame frameset h1 h2 h3 h4 h5 h6 head header hgroup hr html iframe img input legend li"
    " link main map menu meta meter nav noscript object ol optgroup option output p param picture"
    " pre progress section select source summary svg table tbody td template textarea tfoot th"
    " thead title tr track ul video".split()
)
_UNREAD = frozenset(("script", "style"))  # their content is no text
_FLAGS = frozenset("async checked compact controls defer disabled hidden loop muted nowrap".split())
_ENTITY = re.compile(r"&(#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31})(;?)")
_CDATA = re.compile(r"<!\[CDATA\[(.*?)\]\]>", re.DOTALL)
_AMPERSAND = "\ufdd0"  # no character, and so in no text: hides entities from the parser of tags
# What was escaped twice, as `&amp;eacute;` or `&lt;p&gt;`, becomes HTML first; more than that is
# no accident of an export.
_ROUNDS = 3


def plain_text(text: str) -> str:
    """`text` without HTML: block tags become blanks, others nothing, scripts and styles go with
    their content.

    What was escaped twice is read twice. Plain text comes back as it is, and a second call changes
    nothing.
    """
    for _ in range(_ROUNDS):
        if "<" not in text and "&" not in text:
            break
        before, text = text, _ENTITY.sub(_character, _without_tags(text))
        if text == before:
            break
    return text


def _character(entity: re.Match) -> str:
    """The character of an entity, or the match itself where it names none.

    Without its semicolon it counts if its name does in HTML, and ends there: "&nbsp 3" but not
    "black&notebook".
    """
    name, semicolon = entity.groups()
    known = name.startswith("#") or name + semicolon in html.entities.html5
    return html.unescape(f"&{name};") if known else entity[0]


def _without_tags(text: str) -> str:
    if "<" not in text:
        return text
    text = _CDATA.sub(lambda section: section[1], text).replace("&", _AMPERSAND)
    end = text.rfind(">") + 1  # what follows is no tag: none ends there
    parser = _TextOfTags()
    parser.feed(text[:end])
    parser.close()
    return ("".join(parser.parts) + text[end:]).replace(_AMPERSAND, "&")


class _TextOfTags(html.parser.HTMLParser):
    """Gathers in `parts` what is no tag."""

    def __init__(self):
        super().__init__(convert_charrefs=False)
        self.parts: list[str] = []
        self._unread = ""

    def handle_data(self, data: str) -> None:
        if not self._unread:
            self.parts.append(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        raw = self.get_starttag_text() or ""
        # "waist <b and hips>" is no element: words in a tag are attributes, and have values
        if attrs and not any(value is not None or name in _FLAGS for name, value in attrs):
            self.handle_data(raw)
        elif tag in _UNREAD:
            self._unread = "" if raw.endswith("/>") else tag
        else:
            self.handle_data(_in_place_of(tag, raw))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag == self._unread:
            self._unread = ""
        elif tag not in _UNREAD:
            self.handle_data(_in_place_of(tag, f"</{tag}>"))


def _in_place_of(tag: str, raw: str) -> str:
    """A blank for a block; nothing for what stands within a line, and for elements with a colon or
    a hyphen in their names (of word processors, or a shop's own); else the tag itself.
    """
    if tag in _BLOCKS:
        return " "
    return "" if tag in _INLINE or re.search(r"\w[:-]\w", tag) else raw

"""Texts as whole words: what a caption says and what a product's text says, made comparable.

A word is the word pieces between two blanks or punctuation marks, as the tokenizer normalised them
(lower case, no accents).
"""

import dataclasses
import re
from collections.abc import Sequence

from kaleido_tf.text import Vocabulary

STOP_WORDS = frozenset(
    "a about above after again all also an and any are as at back be because been before "
    "being below between both but by can do does down each few for from front further had has "
    "have her here his how i if in inside into is it its itself just more most must my no nor "
    "not of off on once one only or other our out outside over own per same she should side "
    "so some such than that the their them then there these they this those through to too "
    "two under until up very was we were what when where which while with without you your".split()
)
"""Words that say nothing which a region of the photo could show."""

_OWN_STEMS = {
    "shorts": "shorts",
    "leggings": "legging",
    "legging": "legging",
    "earrings": "earring",
    "earring": "earring",
    "lining": "lining",
    "linings": "lining",
    "scarves": "scarf",
}
"""Words that the rule would take for another ("legs", "ears", "lines"), or whose plural it does not
know.
"""


@dataclasses.dataclass(frozen=True)
class Word:
    """A word of a text: as it stands there, what it is compared by, and its word pieces `start` to
    `end` (half-open).
    """

    text: str
    stem: str
    start: int
    end: int

    @property
    def tells_something(self) -> bool:
        """Whether it can tell products apart: no stop word, single letter or number."""
        return self.text not in STOP_WORDS and len(self.text) > 1 and not self.text.isdigit()


def words_of(token_ids: Sequence[int], vocabulary: Vocabulary) -> list[Word]:
    """The words of a text from its word pieces (without [CLS] and [SEP]); punctuation is
    left out.
    """
    words, start = [], 0
    pieces = [vocabulary.tokens[int(number)] for number in token_ids]
    for end in range(1, len(pieces) + 1):
        if end < len(pieces) and pieces[end].startswith("##"):
            continue
        text = pieces[start] + "".join(
            piece.removeprefix("##") for piece in pieces[start + 1 : end]
        )
        if any(character.isalnum() for character in text) and not text.startswith("["):
            words.append(Word(text, stem(text), start, end))
        start = end
    return words


def stem(word: str) -> str:
    """What a word is compared by: plural, -ie, -ed and -ing, and a last -e folded ("striped",
    "stripes", "stripe" -> "strip").
    """
    if word in _OWN_STEMS or len(word) <= 3:
        return _OWN_STEMS.get(word, word)
    if word.endswith(("ies", "ie")) and len(word) > 4:  # "hoodies", "hoodie"; "bodies", "body"
        return word[: word.rindex("ie")] + "y"
    if re.search(r"(ss|x|ch|sh)es$", word):
        return word[:-2]
    if word.endswith("s") and not re.search(r"(ss|us|is)$", word):
        word = word[:-1]
    for ending in ("ing", "ed"):
        if (
            word.endswith(ending)
            and len(word) - len(ending) >= 3
            and re.search("[aeiouy]", word[: -len(ending)])
        ):
            word = re.sub(r"([bdgmnprt])\1$", r"\1", word[: -len(ending)])
            break
    return word.removesuffix("e") if len(word) > 3 else word

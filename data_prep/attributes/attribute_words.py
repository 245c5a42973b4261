"""Which words of texts can be pseudo-attributes (FashionViL, section 3.2), and how often they are
there.

The paper takes nouns and adjectives by NLTK's tagger. Here a rule needs no tagger: what is left out
are function words, numbers, words of fewer than three letters, adverbs (in -ly, but for a list),
and a list of verbs that shops write. It differs from a tagger's choice: participles stay
("embroidered", "lined", which a tagger calls verbs), and so does a verb that the list does not
have.
"""

import collections
import re
from collections.abc import Iterable, Sequence

import tensorflow as tf

from kaleido_tf.data.pseudo_attributes import words_in
from kaleido_tf.words import STOP_WORDS

BLOCK = 1024
"""Texts that are cut into words at once."""

_FUNCTION_WORDS = STOP_WORDS | frozenset(
    "across along alongside although among anyone anything around away behind beneath beside"
    " besides beyond cannot could despite don doesn during either else enough etc ever every"
    " everyone everything except hers herself himself him inc including instead isn less let like"
    " little lots many may maybe might mine much myself near neither never none nothing onto others"
    " ours perhaps plus plenty rather several shall since someone something theirs themselves"
    " though throughout together toward towards underneath unless unlike upon via whatever whenever"
    " wherever whether whichever who whoever whom whose why will within would yet yours"
    " yourself".split()
)
_NUMBER_WORDS = frozenset(
    "three four five six seven eight nine ten eleven twelve twenty thirty forty fifty hundred"
    " thousand first second third once twice".split()
)
_ADVERBS = frozenset(
    "ago almost already always anyway even everywhere forever here however indeed instead later"
    " maybe nowadays often quite sometimes somewhat soon still there therefore thus today tonight"
    " upwards downwards well".split()
)
_WORDS_IN_LY = frozenset(
    "belly bubbly bully butterfly cuddly curly daily doily family fly frilly friendly girly holy"
    " homely jelly lily lively lovely manly monthly multiply only pearly ply poly pully reply rolly"
    " scaly silly smelly sparkly squiggly steely supply swirly teddy ugly weekly wiggly wobbly"
    " womanly woolly wooly wrinkly yearly".split()
)
"""Nouns and adjectives that end as adverbs do."""
_VERBS = {
    "add": "adds adding added",
    "allow": "allows allowing allowed",
    "become": "becomes becoming became",
    "begin": "begins began",
    "bring": "brings bringing brought",
    "buy": "buys buying bought",
    "come": "comes coming came",
    "complete": "completes completing",
    "contain": "contains containing contained",
    "create": "creates creating created",
    "enjoy": "enjoys enjoying",
    "ensure": "ensures ensuring",
    "feature": "features featuring featured",
    "feel": "feels feeling felt",
    "find": "finds finding found",
    "get": "gets getting got",
    "give": "gives giving given gave",
    "go": "goes going gone went",
    "help": "helps helping",
    "hold": "holds holding held",
    "include": "includes included",
    "keep": "keeps keeping kept",
    "know": "knows knowing known",
    "make": "makes making made",
    "need": "needs needing needed",
    "offer": "offers offering offered",
    "provide": "provides providing provided",
    "put": "puts putting",
    "say": "says saying said",
    "see": "sees seeing seen saw",
    "show": "shows showing shown",
    "sit": "sits sitting",
    "stay": "stays staying",
    "take": "takes taking taken took",
    "try": "tries trying tried",
    "use": "uses using used",
    "want": "wants wanting wanted",
    "wear": "wears wearing worn wore",
    "are": "am been being got had having did done doing must",
}
"""Verbs that describe no garment, with their forms."""
_LEFT_OUT = (
    _FUNCTION_WORDS
    | _NUMBER_WORDS
    | _ADVERBS
    | frozenset(_VERBS)
    | frozenset(form for forms in _VERBS.values() for form in forms.split())
)


def can_be_attribute(word: str) -> bool:
    """Whether a word, in lower case, may name a garment or what it is like."""
    if len(word) < 3 or word in _LEFT_OUT or re.search(r"\d", word):
        return False
    return not word.endswith("ly") or word in _WORDS_IN_LY


def count_attributes(
    texts: Sequence[str], min_count: int, max_attributes: int
) -> list[tuple[str, int]]:
    """(word, how often it occurs) of the attributes in texts, the most frequent first, among equals
    by the alphabet.

    Args: min_count: the fewest times. max_attributes: the most words.
    """
    counts = collections.Counter(word for block in _blocks(texts) for word in _words(block))
    kept = [(w, n) for w, n in counts.items() if n >= min_count and can_be_attribute(w)]
    return sorted(kept, key=lambda entry: (-entry[1], entry[0]))[:max_attributes]


def _blocks(texts: Sequence[str]) -> Iterable[Sequence[str]]:
    return (texts[start : start + BLOCK] for start in range(0, len(texts), BLOCK))


def _words(texts: Sequence[str]) -> list[str]:
    return [word.decode("utf-8") for word in words_in(tf.constant(texts)).flat_values.numpy()]

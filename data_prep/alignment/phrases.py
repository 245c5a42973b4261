"""What a text says of each thing: "short sleeves", "two rows of buttons", "no belt".

A phrase is a thing (its last word, the head noun) with the word before it, its option. Product
texts name what is missing, too, and a word alone would count "no belt" as a belt. Only punctuation
and function words are needed to find phrases, no list of garments and no parser.
"""

import dataclasses
from collections.abc import Sequence

from kaleido_tf.text import Vocabulary
from kaleido_tf.words import STOP_WORDS, Word, words_of

ABSENT = "(absent)"
"""The option of a thing that a text denies, or does not name."""

_DENIALS = frozenset({"no", "not", "without"})
_NUMBERS = frozenset({"one", "two", "three", "four"})  # "two rows" are not "one row"
_PREPOSITIONS = frozenset(
    "across along alongside around beneath beside besides behind beyond inside like near onto"
    " outside plus towards toward underneath upon via within".split()
)
_ENDS = (STOP_WORDS | _PREPOSITIONS) - _DENIALS - _NUMBERS
_GO_ON_DENYING = frozenset({"or", "nor"})  # "without pockets or belt"


@dataclasses.dataclass(frozen=True)
class Phrase:
    """A thing and what is said of it: `option` is the stem of the word before `head`, empty where
    there is none, `ABSENT` where the thing is denied.
    """

    head: Word
    option: str


def phrases_of(token_ids: Sequence[int], vocabulary: Vocabulary) -> list[Phrase]:
    """The phrases of a text from its word pieces (without [CLS] and [SEP]), in order.

    Punctuation ends a phrase, but not a hyphen ("V-neck"), and so does every function word.
    """
    phrases, open_words, denied, end = [], [], False, 0
    for word in words_of(token_ids, vocabulary):
        between = [vocabulary.tokens[int(number)] for number in token_ids[end : word.start]]
        end = word.end
        if any(piece != "-" for piece in between):
            phrases += _closed(open_words, denied)
            open_words, denied = [], False
        if word.text in _DENIALS or word.text in _ENDS:
            phrases += _closed(open_words, denied)
            # "no side pockets", where "side" is a function word, are denied as "no pockets" are
            goes_on = not open_words or word.text in _GO_ON_DENYING
            open_words, denied = [], word.text in _DENIALS or (denied and goes_on)
        else:
            open_words.append(word)
    return phrases + _closed(open_words, denied)


def _closed(words: list[Word], denied: bool) -> list[Phrase]:
    if not words or not words[-1].tells_something:
        return []
    option = words[-2].stem if len(words) > 1 else ""
    return [Phrase(words[-1], ABSENT if denied else option)]


def options_of(phrases: Sequence[Phrase]) -> dict[str, str]:
    """Stem of each thing -> what is said of it; where a text says two things of it, the last that
    is not a denial.
    """
    options: dict[str, str] = {}
    for phrase in phrases:
        if phrase.option != ABSENT or phrase.head.stem not in options:
            options[phrase.head.stem] = phrase.option
    return options

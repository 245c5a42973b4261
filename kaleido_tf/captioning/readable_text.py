"""Word pieces as a text that people read: blanks where they belong, capitals at the beginnings of
sentences.
"""

import re
from collections.abc import Sequence

from kaleido_tf.text import Vocabulary

_TIGHT = (
    (re.compile(r"\s+([.,;:!?%)\]])"), r"\1"),
    (re.compile(r"([(\[])\s+"), r"\1"),
    (re.compile(r"(?<=\w)\s*([-/'’])\s*(?=\w)"), r"\1"),
    (re.compile(r"(?<=\d)([.,])\s+(?=\d)"), r"\1"),
)
_FIRST = re.compile(r"(^|[.!?]\s+)([a-z])")


def readable(token_ids: Sequence[int], vocabulary: Vocabulary) -> str:
    """The text of word pieces, without special ones. An uncased vocabulary does not say where
    blanks and capitals were: hyphens, slashes and apostrophes between words are taken as tight.
    """
    kept = [int(number) for number in token_ids if not vocabulary.is_special[int(number)]]
    text = vocabulary.text_of(kept)
    for pattern, replacement in _TIGHT:
        text = pattern.sub(replacement, text)
    return _FIRST.sub(lambda found: found[1] + found[2].upper(), text)

"""What the tokenizer makes of every character of Unicode, as tables for a graph.

`kaleido_tf.text.uncased` looks at one character after the other, but for one letter: a capital
sigma becomes another small letter at the end of a word. So a table of what it makes of each
character, and one of which characters decide where a word ends for that letter, say all of it.
"""

import dataclasses
import functools
import sys
import unicodedata

import numpy as np

from kaleido_tf.text import stands_alone, uncased

SIGMA, FINAL_SIGMA = "\u03a3", "\u03c2"


@dataclasses.dataclass(frozen=True)
class CharacterTables:
    """Tables by code point, for all below `size`; of the others nothing is left.

    Attributes:
      starts: [size + 1] int32; character c becomes `results[starts[c]:starts[c + 1]]`.
      results: [n] int32, code points.
      cased, ignored: [size] bool, which characters are letters with a case, and which say nothing
        about where a word ends, by Unicode's rule for the sigma.
      in_words: [size] bool, whether a character is part of a word with its neighbours.
    """

    starts: np.ndarray
    results: np.ndarray
    cased: np.ndarray
    ignored: np.ndarray
    in_words: np.ndarray

    @property
    def size(self) -> int:
        """How many characters the tables know."""
        return len(self.cased)


@functools.cache
def character_tables() -> CharacterTables:
    """The tables of the Unicode that this Python knows."""
    results = [_result(chr(code)) for code in range(sys.maxunicode + 1)]
    size = max(code for code, result in enumerate(results) if result) + 1
    lengths = [len(result) for result in results[:size]]
    there = np.array(lengths) > 0
    characters = [chr(code) for code in range(size)]
    cased = np.array([_ends_a_word(c) for c in characters])
    skipped = np.array([_ends_a_word(f"A{c}") for c in characters])
    return CharacterTables(
        np.cumsum([0, *lengths], dtype=np.int32),
        np.array([ord(c) for result in results[:size] for c in result], np.int32),
        cased & there,
        skipped & ~cased | ~there,
        np.array([not c.isspace() and not stands_alone(c) for c in characters]),
    )


def _result(character: str) -> str:
    category = unicodedata.category(character)
    # Most of Unicode is no character yet; control characters among blanks are looked at.
    return "" if category in ("Cn", "Co", "Cs") else uncased(character)


def _ends_a_word(before: str) -> bool:
    """Whether a capital sigma after `before` becomes the one that ends words."""
    return f"{before}{SIGMA}".lower().endswith(FINAL_SIGMA)

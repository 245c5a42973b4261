"""BLEU-4 of captions."""

import sacrebleu

from kaleido_tf.text import Vocabulary
from kaleido_tf.words import words_of


def words_in(token_ids, vocabulary: Vocabulary) -> str:
    """The words of a text, without punctuation, with blanks between."""
    return " ".join(word.text for word in words_of(token_ids, vocabulary))


def bleu_4(captions: list[str], references: list[str]) -> float:
    """BLEU-4 of a corpus, 0 to 100, with one reference a caption; of whole words (sacrebleu without
    its own tokenizer).
    """
    return sacrebleu.corpus_bleu(captions, [references], tokenize="none", force=True).score

"""Word pieces as people read them."""

import pytest

from kaleido_tf.captioning.readable_text import readable
from kaleido_tf.text import Tokenizer, Vocabulary


@pytest.mark.parametrize(
    "text",
    [
        "A v-neck dress, in soft jersey. Unlined.",
        "Belt (2.5 cm) in grey leather; metal buckle!",
        "3/4-length leggings that don't pinch.",
    ],
)
def test_texts_come_back_as_they_were_written(text):
    vocabulary = Vocabulary()
    assert readable(Tokenizer(vocabulary)([text])[0], vocabulary) == text


def test_special_pieces_are_left_out():
    vocabulary = Vocabulary()
    ids = [vocabulary.cls_id, *Tokenizer(vocabulary)(["red"])[0], vocabulary.sep_id, 0, 0]
    assert readable(ids, vocabulary) == "Red"
    assert readable([0, 0], vocabulary) == ""

import unicodedata

import numpy as np
import pytest
import tensorflow as tf

from kaleido_tf.data.pseudo_attributes import (
    AttributeVocabulary,
    multi_hot,
    read_attributes,
    words_in,
    write_attributes,
)
from kaleido_tf.errors import InputError

DIGEST = "3f" * 32
VOCABULARY = AttributeVocabulary(
    ("soft", "v-neck", "dress", "crêpe", "line"), (9, 8, 5, 2, 1), DIGEST, "description"
)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "pseudo_attributes.txt"
    write_attributes(path, VOCABULARY)
    return path


def words_of(text):
    return [word.decode() for word in words_in([text])[0].numpy()]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A V-Neck dress, soft.", ["a", "v-neck", "dress", "soft"]),
        ("soft--warm -- or - cool-", ["soft", "warm", "or", "cool"]),
        ("women's (3/4) sleeves", ["women", "s", "3", "4", "sleeves"]),
        ("CRÊPE", ["crêpe"]),
        (unicodedata.normalize("NFD", "crêpe"), ["crêpe"]),
        ("snake_case\u00a0and…dots", ["snake", "case", "and", "dots"]),
        ("", []),
        ("- !", []),
    ],
)
def test_words(text, words):
    assert words_of(text) == words


def test_labels_share_one_among_the_attributes_of_a_text():
    texts = ["Soft, soft V-neck dress", "neckline outlines", "CRÊPE line"]
    expected = [[1 / 3, 1 / 3, 1 / 3, 0, 0], [0] * 5, [0, 0, 0, 1 / 2, 1 / 2]]
    labels = VOCABULARY.labels(texts)
    assert labels.dtype == tf.float32
    np.testing.assert_allclose(labels, expected, rtol=1e-6)


def test_same_inside_tf_data(path):
    texts = ["a soft dress", "nothing", "line by line"]
    fresh = read_attributes(path)  # whose table is made inside
    inside = tf.data.Dataset.from_tensor_slices(texts).map(lambda text: fresh.labels(text[None])[0])
    np.testing.assert_array_equal(list(inside.as_numpy_iterator()), VOCABULARY.labels(texts))
    np.testing.assert_array_equal(fresh.labels(texts), VOCABULARY.labels(texts))


def test_labels_of_given_numbers():
    """As the release's `attributes_id` become its targets: twice counts once."""
    numbers = tf.ragged.constant([[3, 6], [], [4, 1, 1, 1]], dtype=tf.int64)
    labels = multi_hot(numbers, 7).numpy()
    expected = np.zeros([3, 7])
    expected[0, [3, 6]] = expected[2, [1, 4]] = 1 / 2
    np.testing.assert_array_equal(labels, expected)


def test_the_file_comes_back(path):
    assert read_attributes(path) == VOCABULARY
    assert read_attributes(path, {DIGEST, "cd" * 32}) == VOCABULARY
    first = f"# catalogue_digest={DIGEST} text_field=description\nsoft\t9\n"
    assert path.read_text(encoding="utf-8").startswith(first)


def test_the_vocabulary_of_another_catalogue(path):
    with pytest.raises(InputError, match="catalogue .abab.* are needed .* Received: .*3f3f"):
        read_attributes(path, {"ab" * 32})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "line 1: '# catalogue_digest.* Received: ''"),
        ("soft\t9\n", r"line 1: '# catalogue_digest.* Received: 'soft\\t9'"),
        ("HEADER\n", "at least one .* Received: none"),
        ("HEADER\nsoft\t9\nwool\t3\nsoft\t2\n", "line 4: .* once .* Received: 'soft' twice"),
        ("HEADER\nsoft\t9\nwool\n", "line 3: a word, a tab and a count.* Received: 'wool'"),
        ("HEADER\nsoft\t0\n", "line 2: a word, a tab and a count above 0"),
        ("HEADER\nsoft wool\t3\n", "line 2: a word, a tab"),
    ],
)
def test_files_of_another_form(tmp_path, content, message):
    path = tmp_path / "attributes.txt"
    header = f"# catalogue_digest={DIGEST} text_field=title"
    path.write_text(content.replace("HEADER", header), encoding="utf-8")
    with pytest.raises(InputError, match=message):
        read_attributes(path)


def test_no_file(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_attributes(tmp_path / "none.txt")

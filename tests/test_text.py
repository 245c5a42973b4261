import json
import pathlib

import numpy as np
import pytest
import tokenizers

from kaleido_tf.errors import InputError
from kaleido_tf.text import DEFAULT_VOCABULARY, SPECIAL_TOKENS, Tokenizer, Vocabulary, sequence


@pytest.fixture(scope="module")
def vocabulary():
    return Vocabulary()


def test_default_vocabulary(vocabulary):
    assert len(vocabulary) == 30522
    assert (
        vocabulary.pad_id,
        vocabulary.unk_id,
        vocabulary.cls_id,
        vocabulary.sep_id,
        vocabulary.mask_id,
    ) == (0, 100, 101, 102, 103)
    assert vocabulary.tokens[1996] == "the"
    assert vocabulary.is_continuation.sum() == 5828 and vocabulary.is_special.sum() == 999


def oracle():
    return tokenizers.BertWordPieceTokenizer(str(DEFAULT_VOCABULARY), lowercase=True)


def test_a_hundred_real_descriptions(vocabulary):
    """Against an independent tokenizer; texts from FashionIQ (see texts/README.md)."""
    texts = json.loads(
        (pathlib.Path(__file__).parent / "texts" / "descriptions.json").read_text(encoding="utf-8")
    )
    assert len(texts) == 100
    expected = [encoding.ids for encoding in oracle().encode_batch(texts, add_special_tokens=False)]
    assert Tokenizer(vocabulary)(texts) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Jupe plissée à taille élastique, coloris bleu-marine (100% coton)",
        "Crème brûlée-coloured ÜBER-coat; €49,99 — “fits” true to size…",
        "T-shirt\twith\nline breaks  and   blanks",
        "日本のドレス and kimono 着物",
        "emoji 👗 and zero\u200bwidth and soft\u00adhyphen",
        "a\u0000b\ufffdc\u0007d",
        "x" * 100 + " pneumonoultramicroscopicsilicovolcanoconiosis",
        "wrong [MASK] and [SEP] in a text",
        "",
        "   ",
    ],
)
def test_odd_texts(vocabulary, text):
    ours = Tokenizer(vocabulary)([text])[0]
    if "[" in text:
        # A shop's text is text: it must not be able to write special tokens into the sequence.
        assert not set(ours) & {vocabulary.mask_id, vocabulary.sep_id}
        return
    assert ours == oracle().encode(text, add_special_tokens=False).ids


def word_pieces(word, vocabulary):
    """WordpieceTokenizer of google-research/bert, tokenization.py, for one word."""
    index = {token: number for number, token in enumerate(vocabulary.tokens)}
    if len(word) > 200:
        return [vocabulary.unk_id]
    pieces, start = [], 0
    while start < len(word):
        ends = range(len(word), start, -1)
        names = (("##" if start else "") + word[start:end] for end in ends)
        end, name = next(((e, n) for e, n in zip(ends, names) if n in index), (0, ""))
        if not end:
            return [vocabulary.unk_id]
        pieces.append(index[name])
        start = end
    return pieces


@pytest.mark.parametrize("letter", ["a", "е", "ʻ", "ا", "𝒳", "ß"])
@pytest.mark.parametrize("length", [1, 25, 26, 49, 50, 51, 99, 100, 101, 199, 200, 201, 202, 900])
def test_words_of_every_length(vocabulary, letter, length):
    """Letters of one to four bytes, with neighbours that must stay what they are."""
    word = letter * length
    expected = word_pieces(word, vocabulary)
    tokenizer = Tokenizer(vocabulary)
    dress, dot, red = 4377, 1012, 2417
    texts = [word, f"dress {word}.red", f"{word}.{word}"]
    assert tokenizer(texts) == [expected, [dress, *expected, dot, red], [*expected, dot, *expected]]


def test_accents_do_not_count_and_signs_part_long_runs(vocabulary):
    tokenizer = Tokenizer(vocabulary)
    assert tokenizer(["é" * 200]) == tokenizer(["e" * 200]) != [[vocabulary.unk_id]]
    run = ("red-" * 80, "着" * 300, "a" * 150 + "+" + "b" * 150)
    pieces = tokenizer(list(run))
    assert pieces[0] == [2417, 1011] * 80 and len(pieces[1]) == 300
    assert vocabulary.unk_id not in pieces[2]
    assert tokenizer(["着" + "a" * 201])[0][1:] == [vocabulary.unk_id]


def test_sequence_is_cut_and_padded(vocabulary):
    ids, used = sequence([5, 6, 7], 7, vocabulary)
    assert ids.tolist() == [101, 5, 6, 7, 102, 0, 0] and used == 5
    ids, used = sequence([5, 6, 7, 8], 5, vocabulary)
    assert ids.tolist() == [101, 5, 6, 7, 102] and used == 5
    assert ids.dtype == np.int32


@pytest.mark.parametrize(
    "content, message",
    [
        (None, "Not found: .*vocab.txt"),
        ("", "empty file: .*vocab.txt"),
        ("[PAD]\n[UNK]\n[CLS]\n[SEP]\nred\n", r"Missing in .*vocab.txt: \[MASK\]"),
        ("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nred\nred\n", "holds 'red' twice"),
    ],
)
def test_broken_vocabulary_is_named(tmp_path, content, message):
    path = tmp_path / "vocab.txt"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InputError, match=message):
        Vocabulary(path)


def test_mark_at_the_start_of_a_vocabulary_is_no_part_of_it(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join([*SPECIAL_TOKENS, "kleid"]).encode())
    assert Vocabulary(path).tokens == (*SPECIAL_TOKENS, "kleid")

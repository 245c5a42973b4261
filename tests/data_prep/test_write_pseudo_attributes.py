"""The command as a user would type it; the rule is tested in test_attribute_words.py."""

from data_prep.catalogue.reading import read_catalogue
from kaleido_tf.data.pseudo_attributes import read_attributes
from tests.drawn_catalogue import write_catalogue
from tests.end_to_end.commands import run

COMMAND = ("-m", "data_prep.write_pseudo_attributes", "--catalogue=shop")


def test_the_training_texts_are_counted(tmp_path):
    write_catalogue(tmp_path / "shop")
    flags = ["--output=words.txt", "--min_count=2", "--max_attributes=3"]
    output = run(*COMMAND, *flags, cwd=tmp_path)
    vocabulary = read_attributes(
        tmp_path / "words.txt", read_catalogue(str(tmp_path / "shop")).digest
    )
    # six of the seven products, each with "<colour> thing" and "A <colour> thing, number <n>."
    assert dict(zip(vocabulary.words, vocabulary.counts)) == {"thing": 12, "number": 6, "black": 2}
    assert "words.txt: 3 attributes of 6 train texts, from thing (12 times) to black (2" in output


def test_too_few_texts(tmp_path):
    write_catalogue(tmp_path / "shop")
    output = run(*COMMAND, "--output=words.txt", cwd=tmp_path, status=1)
    assert "Words that occur 100 times are needed. Received: none in 6 texts of shop" in output
    assert not (tmp_path / "words.txt").exists()

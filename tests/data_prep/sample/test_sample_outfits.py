"""Drawn outfits keep their rule, and nothing but the outfit says which answer is right."""

import json

import pytest

from data_prep.sample import sample_outfits
from data_prep.sample.sample_catalogue import draw_products, id_of
from data_prep.sample.sample_outfits import SLOTS, rule_of, write_sample_outfits
from kaleido_tf.data.outfits import read_compatibility, read_outfits, read_whole_outfits
from kaleido_tf.errors import InputError

PRODUCTS, SEED = 1600, 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("drawn")
    write_sample_outfits(path, PRODUCTS, 0.4, SEED, 40, 25)
    return path


@pytest.fixture(scope="module")
def products():
    return {id_of(product): product for product in draw_products(PRODUCTS, SEED)}


def test_outfits_keep_the_rule(folder, products):
    for split, count in (("train", 40), ("valid", 25)):
        outfits = read_whole_outfits(folder / sample_outfits.OUTFITS, split)
        assert len(outfits) == count
        for outfit in outfits:
            items = [products[name] for name in outfit]
            assert len({rule_of(item) for item in items}) == 1
            assert [item.kind.name in kinds for item, kinds in zip(items, SLOTS)] == [True] * 4
    used = [read_whole_outfits(folder / sample_outfits.OUTFITS, s) for s in ("train", "valid")]
    train, valid = ({name for outfit in part for name in outfit} for part in used)
    assert not train & valid


def test_one_answer_fits_and_the_answers_alone_do_not_say_which(folder, products):
    content = json.loads((folder / sample_outfits.BLANKS).read_text())
    items = {name for row in content for name in (*row["question"], *row["answers"])}
    questions = read_outfits(folder / sample_outfits.BLANKS, dict.fromkeys(items, 0))
    assert len(questions) == 25
    for question in questions:
        rule = rule_of(products[question.items[0]])
        rules = [rule_of(products[answer]) for answer in question.answers]
        assert [found == rule for found in rules] == [n == question.right for n in range(4)]
        assert len({products[answer].kind.name for answer in question.answers}) == 1
        # two families in both seasons: every answer could be the right one of some outfit
        assert len(set(rules)) == 4
        assert len({found.family for found in rules}) == 2
    assert len({question.right for question in questions}) == 4


def test_every_second_outfit_breaks_the_rule(folder, products):
    labels, outfits = read_compatibility(folder / sample_outfits.COMPATIBILITY)
    assert len(outfits) == 50 and labels.sum() == 25
    for label, outfit in zip(labels, outfits):
        assert (len({rule_of(products[name]) for name in outfit}) == 1) == label


def test_too_few_products_are_said(tmp_path):
    with pytest.raises(InputError, match=r"draw more products \(--num_products\)|Draw more than"):
        write_sample_outfits(tmp_path, 64, 0.25, 1, 5, 5)

import json

import pytest

from data_prep.record_writing.candidates import CandidateSettings, draw_candidates, write_candidates
from kaleido_tf.data.record_table import read_record_table
from kaleido_tf.errors import InputError
from kaleido_tf.files.input_files import find_files
from kaleido_tf.text import Vocabulary
from tests import small_records


def read(folder, count, **kwargs):
    small_records.write(folder, count, **kwargs)
    return read_record_table(find_files(str(folder)), Vocabulary(), 9, small_records.FEATURE_SIZE)


@pytest.fixture
def table(tmp_path):
    """23 products: 8, 8 and 7 of the three sub-categories."""
    return read(tmp_path, 23)


def group_of(table):
    return dict(zip(table.product_ids, table.subcategories))


def test_one_truth_and_others_of_the_same_sub_category(table):
    lists, totals = draw_candidates(table, CandidateSettings(num_others=6))
    assert totals["queries"] == 23 and totals["left_out"] == []
    groups = group_of(table)
    for direction in ("img2txt", "txt2img"):
        assert len(lists[direction]) == 23
        for entry in lists[direction]:
            assert len(entry["candidates"]) == len(set(entry["candidates"])) == 7
            assert entry["candidates"].count(entry["positive"]) == 1 and entry["missing"] == 0
            ids = [entry["query"], *entry["candidates"]]
            assert len({groups[identifier.split("_")[0]] for identifier in ids}) == 1
    image, text = lists["img2txt"][0], lists["txt2img"][0]
    assert image["query"] == image["positive"] + "_1" and text["positive"] == text["query"] + "_1"


def test_photos_in_two_views_are_candidates_once(table, tmp_path):
    views = read(tmp_path / "views", 46, change=small_records.viewed)
    settings = CandidateSettings(num_others=6)
    lists, totals = draw_candidates(views, settings)
    assert lists == draw_candidates(table, settings)[0]
    assert totals["records"] == 46


def test_truth_lies_anywhere_in_the_list(table):
    lists, _ = draw_candidates(table, CandidateSettings(num_others=6))
    assert len({entry["candidates"].index(entry["positive"]) for entry in lists["img2txt"]}) > 3


def test_seed_decides(table):
    settings = CandidateSettings(num_queries=5, num_others=4)
    assert draw_candidates(table, settings) == draw_candidates(table, settings)
    assert draw_candidates(table, settings) != draw_candidates(
        table, CandidateSettings(num_queries=5, num_others=4, seed=2)
    )


def test_small_sub_categories_are_left_out_and_named(table):
    lists, totals = draw_candidates(table, CandidateSettings(num_others=7))
    assert totals["queries"] == 16 and totals["products_in_too_small_subcategories"] == 7
    assert totals["subcategories_too_small"] == {"2": 7}
    assert {"product_id": "P002", "others_there_are": 6} in totals["left_out"] and len(
        totals["left_out"]
    ) == 7
    assert all(len(entry["candidates"]) == 8 for entry in lists["img2txt"])


def test_kept_short_lists_say_so(table):
    lists, totals = draw_candidates(table, CandidateSettings(num_others=7, short_lists="keep"))
    assert totals["queries"] == 23 and totals["queries_with_fewer_others"] == 7
    short = [entry for entry in lists["txt2img"] if entry["missing"]]
    assert len(short) == 7 and all(
        entry["missing"] == 1 and len(entry["candidates"]) == 7 for entry in short
    )


def test_several_images_a_product(tmp_path):
    table = read(tmp_path, 24, images_a_product=2)
    lists, _ = draw_candidates(table, CandidateSettings(num_others=3))
    for entry in lists["txt2img"]:
        products = [image.split("_")[0] for image in entry["candidates"]]
        # one image a product, never a second view of the truth among the others
        assert len(set(products)) == 4


def test_no_list_at_all_is_an_error(table):
    with pytest.raises(InputError, match=r"more than 100 products \(the largest has 8\)"):
        draw_candidates(table, CandidateSettings())


def test_files(table, tmp_path):
    lists, totals = draw_candidates(table, CandidateSettings(num_others=6))
    write_candidates(lists, totals, tmp_path / "out")
    lines = (tmp_path / "out" / "candidates_img2txt.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == lists["img2txt"]
    assert json.loads((tmp_path / "out" / "candidates.json").read_text()) == totals


def test_lists_of_both_directions_appear_or_none(table, tmp_path):
    (tmp_path / "out" / "candidates_txt2img.jsonl").mkdir(parents=True)
    lists, totals = draw_candidates(table, CandidateSettings(num_others=6))
    with pytest.raises(InputError, match="candidates_txt2img.jsonl is a folder"):
        write_candidates(lists, totals, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["candidates_txt2img.jsonl"]


@pytest.fixture
def twins(tmp_path):
    """24 products, 8 a sub-category; of the first one's, products 0, 6 and 12 share a text, and so
    does 1, of another sub-category.
    """
    text = {"text": "a dress", "token_ids": [1037, 4377]}
    return read(tmp_path, 24, change=lambda n: text if n in (0, 1, 6, 12) else {})


@pytest.mark.parametrize("direction", ["img2txt", "txt2img"])
def test_others_of_the_same_text_are_in_no_list(twins, direction):
    lists, totals = draw_candidates(twins, CandidateSettings(num_others=5))
    same = {"P000", "P006", "P012"}
    for entry in lists[direction]:
        ids = {identifier.split("_")[0] for identifier in entry["candidates"]}
        truth = entry["positive"].split("_")[0]
        assert len(ids) == 6 and (truth not in same or ids & same == {truth})
    assert totals["queries"] == 24
    assert totals["queries_with_others_of_the_same_text"] == 3
    assert totals["others_of_the_same_text_excluded"] == 6


def test_others_of_another_text_decide_whether_there_are_enough(twins):
    _, totals = draw_candidates(twins, CandidateSettings(num_others=6))
    assert [entry["product_id"] for entry in totals["left_out"]] == ["P000", "P006", "P012"]
    assert {entry["others_there_are"] for entry in totals["left_out"]} == {5}
    lists, _ = draw_candidates(twins, CandidateSettings(num_others=6, short_lists="keep"))
    assert [entry["missing"] for entry in lists["txt2img"] if entry["missing"]] == [1, 1, 1]


def test_texts_that_part_late_are_two(tmp_path):
    """The table cuts at 9 places; the lists look at the whole text."""
    ids = list(range(2000, 2020))
    table = read(tmp_path, 9, change=lambda n: {"token_ids": [*ids, 3000 + n]})
    assert len(set(table.texts)) == 1
    _, totals = draw_candidates(table, CandidateSettings(num_others=2))
    assert totals["others_of_the_same_text_excluded"] == 0 and totals["queries"] == 9


def test_only_equal_texts_are_an_error_of_their_own(tmp_path):
    table = read(tmp_path, 9, change=lambda n: {"token_ids": [1037]})
    with pytest.raises(InputError, match="No product has 2 others of another text in .*at most 0"):
        draw_candidates(table, CandidateSettings(num_others=2))

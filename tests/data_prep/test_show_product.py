"""From records and their catalogue to pictures: the right photo, mask, words and example; bad input
in one message.
"""

import dataclasses
import json
import re

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from data_prep.alignment.alignments import AlignmentSettings
from data_prep.alignment.caption_regions import CaptionRegions, CaptionSettings
from data_prep.alignment.named_boxes import NamedBox, regions_of
from data_prep.alignment.pieces import pieces_of
from data_prep.alignment.record_alignments import align_records
from data_prep.alignment.word_evidence import (
    EvidenceSettings,
    WordEvidence,
    load_evidence,
    save_evidence,
)
from data_prep.catalogue.reading import read_catalogue
from data_prep.features.backbones import build_backbone
from data_prep.foreground.product_crops import Photo
from data_prep.foreground.product_masks import ProductMasks
from data_prep.foreground.saliency import UNetSettings, build_unet, save_saliency
from data_prep.pictures.picture_panels import WIDTH
from data_prep.pictures.product_view import ProductViews
from data_prep.pictures.shown_example import KEPT
from data_prep.record_writing.patch_content import PatchContent
from data_prep.record_writing.product_records import write_records
from kaleido_tf.data.examples_config import ExamplesConfig
from kaleido_tf.errors import InputError
from kaleido_tf.families import read_examples
from kaleido_tf.models.kaleido_bert.config import KaleidoBertConfig
from kaleido_tf.records.dataset_json import read_dataset_json
from kaleido_tf.records.record import GRIDS
from kaleido_tf.text import Tokenizer, Vocabulary
from tests import small_records
from tests.drawn_catalogue import SETTINGS, write_catalogue
from tests.end_to_end.commands import run

CONFIG = KaleidoBertConfig(patch_feature_size=512)
BUTTON = (20, 30, 35, 45)  # the upper left of every drawn product, in pixels of its photo


SHOWN = ExamplesConfig(text_length=8, token_fraction=0.4, seed=3)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """(folder of the catalogue, folder of its aligned records)"""
    folder = tmp_path_factory.mktemp("show")
    write_records(
        read_catalogue(str(write_catalogue(folder / "shop"))),
        "train",
        folder / "records",
        PatchContent(SETTINGS, build_backbone("squeezenet", "random")),
    )
    records = folder / "records" / "train"
    boxes = [NamedBox("thing", BUTTON, 1.0)]
    align_records(
        str(records),
        lambda _, examples: [regions_of(boxes, list(example.crop_box)) for example in examples],
        AlignmentSettings(),
        {"source": "made up"},
    )
    return folder / "shop", records


@pytest.fixture(scope="module")
def views(made):
    return ProductViews(str(made[1]), SHOWN, CONFIG)


def test_view_holds_the_photo_its_mask_its_words_and_pairs(views):
    view = views.view(views.first_image("P4"))
    assert (view.product_id, view.image_id, view.title, view.category) == (
        "P4",
        "P4_1",
        "orange thing",
        "even (things)",
    )
    assert view.photo.shape == (120, 94, 3) and view.crop.shape[0] == 80
    x1, x2, y1, y2 = view.crop_box
    inside = np.zeros(view.mask.shape, bool)
    inside[y1:y2, x1:x2] = True
    assert view.mask_note == "border" and view.mask[50, 40] and not (view.mask & ~inside).any()
    assert [word.text for word in view.aligned.words] == [
        "a",
        "orange",
        "thing",
        "number",
        "4",
    ] and view.aligned.pieces[2] == "thing"
    # upper left of level 3
    assert set(view.aligned.pairs.tokens.tolist()) == {2} and view.aligned.pairs.patches[0] == 5
    assert (
        view.donor_crop.mean(axis=(0, 1)) != view.crop.mean(axis=(0, 1))
    ).any() and not view.donor_name.startswith("P4")


def test_example_is_the_one_that_training_reads(views, made):
    """The text of 8 places cuts off the rest; masked places and labels are those of the batch at
    the position.
    """
    examples = read_examples(str(made[1]), SHOWN, CONFIG, None, Vocabulary(made[1] / "vocab.txt"))
    batch = next(examples.training_batches(21).as_numpy_iterator())
    seen = set()
    for image_id in examples.table.image_ids:
        for epoch in range(3):
            view = views.view(image_id, epoch)
            shown, one = (
                view.example,
                {name: value[view.example.drawn.position] for name, value in batch.items()},
            )
            assert shown.epoch == epoch and one["next_sentence_label"] == shown.drawn.matched
            asked = [place for place, token in enumerate(shown.tokens) if token.change != KEPT]
            assert (
                asked == one["masked_lm_positions"][one["masked_lm_weights"] > 0].tolist()
                and len(shown.tokens) <= 8
            )
            assert (shown.quarter_turns, shown.camouflaged) == (
                one["rotation_label"],
                one["camouflage_label"],
            )
            assert (shown.grey, shown.blank) == (
                tuple(one["grey_to_color_positions"]),
                tuple(one["blank_to_color_positions"]),
            )
            assert (view.text_owner == view.product_id) == shown.drawn.matched
            seen.add(shown.drawn.position)
    assert seen == set(range(21))


@pytest.mark.parametrize(
    "find, wanted, message",
    [
        (
            "first_image",
            "Q1",
            (
                r"Needed: a product of the records .*train. Received: 'Q1', which is not there. One"
                r" that is there: P0"
            ),
        ),
        (
            "check_image",
            "P2_3",
            (
                r"Needed: an? image of the records .*train."
                r" Received: 'P2_3', which is not there. One"
                r" that is there: P0_1"
            ),
        ),
    ],
)
def test_unknown_ids_are_named_with_one_that_is_there(views, find, wanted, message):
    assert views.first_image("P2") == "P2_1" and views.check_image("P2_2") == "P2_2"
    with pytest.raises(InputError, match=message):
        getattr(views, find)(wanted)


def test_records_of_another_family_a_moved_catalogue_and_a_missing_photo(made, tmp_path):
    shop, records = made
    grid = small_records.write(tmp_path / "grid", 5, layout=GRIDS[8])
    with pytest.raises(InputError, match="needs records of layout kaleido. .*grid holds grid_8x8"):
        ProductViews(
            str(grid),
            SHOWN,
            dataclasses.replace(CONFIG, patch_feature_size=small_records.FEATURE_SIZE),
        )
    moved = ProductViews(str(records), SHOWN, CONFIG, catalogue=str(tmp_path / "nowhere"))
    with pytest.raises(
        InputError, match="photos behind .*train are needed: .*nowhere.* Say with --catalogue"
    ):
        moved.view("P0_1")
    other = write_catalogue(tmp_path / "shop").parent
    (other / "0_0.png").unlink()
    with pytest.raises(InputError, match="0_0.png"):
        ProductViews(str(records), SHOWN, CONFIG, catalogue=str(other)).view("P0_1")


def test_masks_by_the_records_method(made, tmp_path):
    shop, _ = made
    image = np.array(Image.open(shop / "0_0.png").convert("RGB"))
    photo, box = Photo(image, "P0", "P0_1", "0_0.png"), (1, 2, 3, 4)
    mask, note = ProductMasks({"foreground": "border"}, "records").find(photo, box)
    assert mask[50, 40] and note == "border (gives another crop box than the record's)"
    assert ProductMasks({"foreground": "none"}, "records").find(photo, box) == (
        None,
        "no mask: the whole photo is the crop",
    )
    unet = {"foreground": "unet", "foreground_digest": "abc"}
    assert ProductMasks(unet, "records").find(photo, box) == (
        None,
        "no mask: its network was not given (--foreground_weights)",
    )
    gone = {"foreground": "masks", "foreground_masks": str(tmp_path / "gone")}
    assert ProductMasks(gone, "records").find(photo, box) == (
        None,
        "no mask: its folder was not given (--foreground_masks)",
    )
    empty = np.full_like(image, 200)
    assert (
        "no product found: the mask covers less than 0.2%"
        in ProductMasks({"foreground": "border"}, "records").find(
            dataclasses.replace(photo, image=empty), box
        )[1]
    )
    drawn = np.zeros(image.shape[:2], np.uint8)
    drawn[30:60, 20:50] = 255
    (tmp_path / "masks").mkdir()
    Image.fromarray(drawn).save(tmp_path / "masks" / "P0.png")
    mask, note = ProductMasks(gone, "records", masks=str(tmp_path / "masks")).find(
        photo, (19, 51, 29, 61)
    )
    np.testing.assert_array_equal(mask, drawn > 0)
    assert note == "P0.png"
    with pytest.raises(
        InputError,
        match=(
            "--foreground_masks is of records made with --foreground=masks. Those in records were"
            " made with unet"
        ),
    ):
        ProductMasks(unet, "records", masks=str(tmp_path / "masks"))


def test_network_must_be_the_records_own(made, tmp_path):
    settings = UNetSettings(width=1, side=32)
    tf.keras.utils.set_random_seed(1)
    save_saliency(tmp_path / "net.safetensors", settings, build_unet(settings))
    with pytest.raises(
        InputError,
        match=(
            "the network that the records in records were made with is needed. Received another:"
            " .*net.safetensors"
        ),
    ):
        ProductMasks(
            {"foreground": "unet", "foreground_digest": "abc"},
            "records",
            weights=str(tmp_path / "net.safetensors"),
        )


def test_command_writes_a_picture_a_product(made, tmp_path):
    _, records = made
    output = run(
        "-m",
        "data_prep.show_product",
        f"--records={records}",
        "--product_id=P1,P2",
        "--image_id=P2_2",
        "--output_dir=pictures",
        "--epoch=1",
        "--seed=5",
        "--kaleido_tasks=jigsaw,grey_to_color",
        cwd=tmp_path,
    )
    assert sorted(path.name for path in (tmp_path / "pictures").iterdir()) == [
        "P1.png",
        "P2.png",
        "P2_2.png",
    ]
    for name in ("P1", "P2", "P2_2"):
        drawn = np.array(Image.open(tmp_path / "pictures" / f"{name}.png").convert("RGB"))
        (said,) = re.findall(rf"{name}.png: {WIDTH} x (\d+) pixels", output)
        assert drawn.shape == (int(said), WIDTH, 3) and drawn.std() > 20


@pytest.mark.parametrize(
    "flags, message",
    [
        ((), "--product_id or --image_id is needed"),
        (
            ("--product_id=P1,Q9",),
            "a product of the records .* Received: 'Q9', which is not there. One that is there: P0",
        ),
        (
            ("--product_id=P1", "--output_dir=file/deep"),
            "A folder to write into is needed. Received: file/deep",
        ),
        (
            ("--product_id=P1", "--kaleido_tasks=jigsaw,mosaic"),
            "--kaleido_tasks must be of rotation, .* Received: mosaic",
        ),
        (
            ("--product_id=P1", "--model_config=fashion.json"),
            "a model of records of layout kaleido is needed. fashion.json is of type imagebert",
        ),
    ],
)
def test_bad_input_ends_in_one_message_and_writes_nothing(made, tmp_path, flags, message):
    (tmp_path / "file").write_text("")
    (tmp_path / "fashion.json").write_text(json.dumps({"model_type": "imagebert"}))
    output = run(
        "-m", "data_prep.show_product", f"--records={made[1]}", *flags, cwd=tmp_path, status=1
    )
    error = output[output.index("error: ") :]
    assert (
        "Traceback" not in output
        and len(error.strip().splitlines()) == 1
        and re.search(message, error)
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fashion.json", "file"]


def test_caption_is_the_text_with_what_its_photo_shows(made, tmp_path):
    """Random evidence: the picture's words are those of the text, each with its heat."""
    _, folder = made
    dataset = read_dataset_json(folder)
    vocabulary = Vocabulary()
    pieces = pieces_of(Tokenizer(vocabulary)(["red thing number"]), vocabulary)
    settings = EvidenceSettings(
        pieces,
        "squeezenet",
        dataset["backbone_digest"],
        dataset["vocabulary_digest"],
        channels=512,
        cells=3,
        longest=6,
    )
    weights = np.random.default_rng(1).normal(size=[512, len(pieces)]).astype(np.float32)
    evidence = WordEvidence(np.zeros(512), np.ones(512), weights, np.ones(len(pieces)))
    save_evidence(tmp_path / "evidence.safetensors", settings, evidence)
    regions = CaptionRegions(
        build_backbone("squeezenet", "random"),
        CaptionSettings("own"),
        evidence=load_evidence(tmp_path / "evidence.safetensors"),
    )
    caption, seen = ProductViews(str(folder), SHOWN, CONFIG, captioner=regions).view("P0_1").caption
    assert caption == "a red thing , number 0"  # six pieces of "A red thing, number 0."
    assert {"red", "thing", "number"} >= {region.word for region in seen} and seen
    assert all(
        region.heat.shape == (60, 60) and region.heat.min() >= 0 < region.heat.max()
        for region in seen
    )

"""A captioner at work on records: words of the text and words of its own, and what does not belong
together.
"""

import dataclasses

import numpy as np
import pytest

from data_prep.alignment.alignments import RASTER
from data_prep.alignment.caption_regions import CaptionRegions, CaptionSettings
from data_prep.alignment.captioner_training import WEIGHTS_NAME
from data_prep.alignment.captions import heat_maps
from data_prep.alignment.show_attend_tell import Captioner, TrainedCaptioner, load_captioner
from data_prep.alignment.word_evidence import WordEvidence, cells_say
from data_prep.features.backbones import build_backbone
from kaleido_tf.errors import InputError
from kaleido_tf.files.input_files import find_files
from kaleido_tf.records.shards import read_shards
from kaleido_tf.text import Vocabulary


@pytest.fixture(scope="module")
def captioner(captioner_run):
    """A trained one; evidence for every piece, since seven photos are too few to learn any."""
    trained = load_captioner(captioner_run[0] / WEIGHTS_NAME)
    generator, settings = np.random.default_rng(1), trained.settings
    weights = generator.normal(size=[settings.channels, len(settings.pieces)]).astype(np.float32)
    before = trained.model.evidence
    trained.model.keep_evidence(
        WordEvidence(before.mean, before.scale, weights, np.ones(len(settings.pieces), np.float32))
    )
    return trained


@pytest.fixture(scope="module")
def examples(captioner_records):
    return read_shards(find_files(str(captioner_records)))


def test_own_text_is_read_with_what_cells_say_for_it(
    captioner, squeezenet, captioner_records, examples
):
    regions = CaptionRegions(captioner, squeezenet, CaptionSettings(words="own"))
    found = regions.describe(str(captioner_records), examples)
    vocabulary = Vocabulary()
    for example, (caption, seen) in zip(examples, found, strict=True):
        ids = example.token_ids
        assert list(caption.token_ids) == ids[: captioner.settings.longest]
        assert {region.word for region in seen} <= set(vocabulary.text_of(ids).split())
    caption, seen = found[0]
    maps = regions._folders[str(captioner_records)][0].of(examples[:1])[0]
    cells = cells_say(
        maps,
        [captioner.settings.pieces.index(piece) for piece in caption.token_ids],
        captioner.model.evidence,
    )
    region = next(
        region for region in seen if region.word == vocabulary.tokens[caption.token_ids[1]]
    )
    np.testing.assert_allclose(
        region.heat, heat_maps(np.maximum(cells[1:2], 0), RASTER, RASTER)[0], rtol=1e-4, atol=1e-5
    )


def test_attention_is_the_heat_where_it_is_asked_for(
    captioner, squeezenet, captioner_records, examples
):
    ((caption, seen),) = CaptionRegions(
        captioner, squeezenet, CaptionSettings(heat="attention")
    ).describe(str(captioner_records), examples[:1])
    assert [region.word for region in seen][:3] == ["a", "red", "thing"]
    np.testing.assert_allclose(
        seen[2].heat, heat_maps(caption.attention[2:3], RASTER, RASTER)[0], rtol=1e-4
    )


def test_own_words_are_generated(captioner, squeezenet, captioner_records, examples):
    found = CaptionRegions(
        captioner, squeezenet, CaptionSettings(words="generated", beam=2)
    ).describe(str(captioner_records), examples)
    said = [Vocabulary().text_of(caption.token_ids) for caption, _ in found]
    meant = [Vocabulary().text_of(example.token_ids) for example in examples]
    # of eight photos that it learnt by heart
    assert sum(ours == theirs for ours, theirs in zip(said, meant)) >= 5


def test_what_does_not_belong_together_is_refused(
    captioner, squeezenet, captioner_records, examples, tmp_path
):
    other = build_backbone("squeezenet", "random", seed=7)
    with pytest.raises(InputError, match=f"Received: squeezenet with weights {other.digest[:12]}"):
        CaptionRegions(captioner, other, CaptionSettings())(str(captioner_records), examples)
    for change, message in (
        (
            {"vocabulary_digest": "f" * 64},
            "speaks the word pieces of vocabulary ffffffffffff .* of vocabulary",
        ),
        (
            {"backbone_digest": "e" * 64},
            (
                "maps of squeezenet with weights eeeeeeeeeeee .* with weights"
                f" {squeezenet.digest[:12]}"
            ),
        ),
    ):
        settings = dataclasses.replace(captioner.settings, **change)
        with pytest.raises(InputError, match=message):
            CaptionRegions(
                TrainedCaptioner(settings, Captioner(settings)), squeezenet, CaptionSettings()
            ).check(str(captioner_records))


@pytest.mark.parametrize("change", [{"words": "x"}, {"heat": "x"}, {"beam": 0}])
def test_settings_out_of_range(change):
    with pytest.raises(
        InputError,
        match=(
            "`words` must be one of own, generated, `heat` of evidence, attention and `beam` at"
            " least 1"
        ),
    ):
        CaptionSettings(**change)

"""A captioner at work on records: words of the text and words of its own, and what does not belong
together.
"""

import dataclasses

import numpy as np
import pytest

from data_prep.alignment.alignments import RASTER
from data_prep.alignment.caption_regions import CaptionRegions, CaptionSettings
from data_prep.alignment.captioner_training import WEIGHTS_NAME as CAPTIONER_NAME
from data_prep.alignment.captions import heat_maps
from data_prep.alignment.show_attend_tell import load_captioner
from data_prep.alignment.word_evidence import WEIGHTS_NAME as EVIDENCE_NAME
from data_prep.alignment.word_evidence import evidence_of_cells, load_evidence, save_evidence
from data_prep.features.backbones import build_backbone
from kaleido_tf.errors import InputError
from kaleido_tf.files.input_files import find_files
from kaleido_tf.records.shards import read_shards
from kaleido_tf.text import Vocabulary


@pytest.fixture(scope="module")
def captioner(captioner_run):
    return load_captioner(captioner_run[0] / CAPTIONER_NAME)


@pytest.fixture(scope="module")
def evidence(captioner_run, tmp_path_factory):
    """For every piece, since seven photos are too few to learn any."""
    trained = load_evidence(captioner_run[0] / EVIDENCE_NAME)
    generator, settings = np.random.default_rng(1), trained.settings
    weights = generator.normal(size=[settings.channels, len(settings.pieces)]).astype(np.float32)
    visible = np.ones(len(settings.pieces), np.float32)
    known = dataclasses.replace(trained.evidence, weights=weights, visible=visible)
    path = tmp_path_factory.mktemp("evidence") / EVIDENCE_NAME
    save_evidence(path, settings, known)
    return load_evidence(path)


@pytest.fixture(scope="module")
def examples(captioner_records):
    return read_shards(find_files(str(captioner_records)))


def test_own_text_needs_evidence_alone(evidence, squeezenet, captioner_records, examples):
    regions = CaptionRegions(squeezenet, CaptionSettings(words="own"), evidence=evidence)
    assert regions.source["source"] == "evidence" and "captioner_digest" not in regions.source
    found = regions.describe(str(captioner_records), examples)
    vocabulary = Vocabulary()
    for example, (caption, seen) in zip(examples, found, strict=True):
        ids = example.token_ids
        assert list(caption.token_ids) == ids[: evidence.settings.longest]
        assert {region.word for region in seen} <= set(vocabulary.text_of(ids).split())
    caption, seen = found[0]
    maps = regions._folders[str(captioner_records)][0].of(examples[:1])[0]
    cells = evidence_of_cells(
        maps,
        [evidence.settings.pieces.index(piece) for piece in caption.token_ids],
        evidence.evidence,
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
        squeezenet, CaptionSettings(heat="attention"), captioner
    ).describe(str(captioner_records), examples[:1])
    assert [region.word for region in seen][:3] == ["a", "red", "thing"]
    np.testing.assert_allclose(
        seen[2].heat, heat_maps(caption.attention[2:3], RASTER, RASTER)[0], rtol=1e-4
    )


def test_words_are_generated(captioner, evidence, squeezenet, captioner_records, examples):
    settings = CaptionSettings(words="generated", beam=2)
    regions = CaptionRegions(squeezenet, settings, captioner, evidence)
    assert set(regions.source) >= {"captioner_digest", "evidence_digest", "beam"}
    found = regions.describe(str(captioner_records), examples)
    said = [Vocabulary().text_of(caption.token_ids) for caption, _ in found]
    meant = [Vocabulary().text_of(example.token_ids) for example in examples]
    # of eight photos that it learnt by heart
    assert sum(ours == theirs for ours, theirs in zip(said, meant)) >= 5


def test_what_does_not_belong_together_is_refused(
    evidence, squeezenet, captioner_records, examples, tmp_path
):
    other = build_backbone("squeezenet", "random", seed=7)
    with pytest.raises(InputError, match=f"Received: squeezenet with weights {other.digest[:12]}"):
        CaptionRegions(other, CaptionSettings(), evidence=evidence)(
            str(captioner_records), examples
        )
    for change, message in (
        (
            {"vocabulary_digest": "f" * 64},
            "word pieces are of vocabulary ffffffffffff .* of vocabulary",
        ),
        (
            {"backbone_digest": "e" * 64},
            (
                "maps of squeezenet with weights eeeeeeeeeeee .* with weights"
                f" {squeezenet.digest[:12]}"
            ),
        ),
    ):
        settings = dataclasses.replace(evidence.settings, **change)
        with pytest.raises(InputError, match=message):
            foreign = dataclasses.replace(evidence, settings=settings)
            CaptionRegions(squeezenet, CaptionSettings(), evidence=foreign).check(
                str(captioner_records)
            )


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


@pytest.mark.parametrize(
    "settings, message",
    [
        (CaptionSettings(words="generated"), "--words=generated .* needs --captioner"),
        (CaptionSettings(heat="attention"), "--heat=attention needs --captioner"),
        (CaptionSettings(), "--heat=evidence needs --evidence"),
    ],
)
def test_a_missing_network_is_named(squeezenet, settings, message):
    with pytest.raises(InputError, match=message):
        CaptionRegions(squeezenet, settings)

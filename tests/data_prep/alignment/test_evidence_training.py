"""Evidence is learnt without a captioner, equals the one that lies beside a captioner, and refuses
other records.
"""

import numpy as np
import pytest

from data_prep.alignment import evidence_training
from data_prep.alignment.evidence_training import train_evidence
from data_prep.alignment.pieces import UNKNOWN, numbers_of, pieces_of
from data_prep.alignment.word_evidence import WEIGHTS_NAME, load_evidence
from kaleido_tf.errors import InputError
from kaleido_tf.text import Vocabulary


def test_it_is_the_evidence_beside_a_captioner(
    captioner_records, captioner_run, squeezenet, tmp_path, monkeypatch
):
    trained = train_evidence(str(captioner_records), str(tmp_path), squeezenet, 3, 9)
    beside = load_evidence(captioner_run[0] / WEIGHTS_NAME)
    assert trained.settings == beside.settings and trained.digest == beside.digest
    np.testing.assert_array_equal(trained.evidence.mean, beside.evidence.mean)
    monkeypatch.setattr(evidence_training, "fit", lambda *_, **__: pytest.fail("fitted again"))
    again = train_evidence(str(captioner_records), str(tmp_path), squeezenet, 3, 9)
    assert again.digest == trained.digest
    with pytest.raises(InputError, match="word evidence of other settings.*longest: 9 there, 8"):
        train_evidence(str(captioner_records), str(tmp_path), squeezenet, 3, 8)


def test_other_files_are_refused(captioner_run):
    with pytest.raises(InputError, match="Word evidence .* is needed. .*captioner of kaleido_tf"):
        load_evidence(captioner_run[0] / "captioner.safetensors")


def test_pieces_are_numbered_after_the_special_ones():
    vocabulary = Vocabulary()
    pieces = pieces_of([[2005, 4000, 2005], [3000]], vocabulary)
    assert pieces[4:] == (2005, 3000, 4000) and pieces[UNKNOWN] == vocabulary.unk_id
    assert numbers_of([4000, 2005, 9999], pieces) == [6, 4, UNKNOWN]

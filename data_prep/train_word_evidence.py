"""Learns which cells of a photo show which word, for `write_alignments --evidence`:

    python -m data_prep.train_word_evidence --records=records/train --model_dir=evidence

--method=phrases finds where the products of a sub-category differ by what their texts say of a
thing ("long sleeves", "short sleeves"); --method=words fits the convolutional maps of photos to the
word pieces of their texts, which a captioner's words need. The photos are read once more, cut as
the records' patches were: minutes for some thousands; the fits take seconds. Started again, the
command goes on with the photos that are done.
"""

import os

# TensorFlow's start-up notes, and its search for a GPU, hide what this program says.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from absl import flags

from data_prep import photo_flags
from data_prep.alignment.evidence_training import train_evidence
from data_prep.alignment.phrase_maps import WEIGHTS_NAME as PHRASES_NAME
from data_prep.alignment.phrase_maps import PhraseSettings
from data_prep.alignment.phrase_training import train_phrase_maps
from data_prep.alignment.record_alignments import check_layout
from data_prep.alignment.word_evidence import WEIGHTS_NAME, EvidenceSettings
from data_prep.photo_flags import backbone_of_flags, define_photo_flags
from kaleido_tf.command import run_command
from kaleido_tf.command_line.setting_flags import define_setting_flags, read_settings
from kaleido_tf.errors import InputError
from kaleido_tf.records.dataset_json import read_dataset_json
from kaleido_tf.settings import settings_of

flags.DEFINE_string("records", None, "Folder of kaleido records to learn from.", required=True)
flags.DEFINE_string("model_dir", None, "Where the evidence and the maps are kept.", required=True)
flags.DEFINE_enum(
    "method",
    "phrases",
    ["phrases", "words"],
    "phrases: what texts say of things, predicting the edges in the photos; words: convolutional"
    " maps, predicting the word pieces of texts.",
)
define_photo_flags()
flags.adopt_module_key_flags(photo_flags)
SIZES = settings_of(EvidenceSettings)
define_setting_flags(PhraseSettings)
define_setting_flags(EvidenceSettings)
FLAGS = flags.FLAGS
_OF_METHOD = {"phrases": settings_of(PhraseSettings), "words": SIZES}


def main(_):
    for method, entries in _OF_METHOD.items():
        foreign = [e.flag for e in entries.values() if FLAGS[e.flag].present]
        if foreign and method != FLAGS.method:
            raise InputError(
                f"--{foreign[0]} needs --method={method}. Received: --method={FLAGS.method}"
            )
    if FLAGS.method == "phrases":
        _learn_phrases()
    else:
        _learn_words()


def _learn_phrases() -> None:
    settings = read_settings(PhraseSettings)
    maps = train_phrase_maps(FLAGS.records, FLAGS.model_dir, settings, FLAGS.catalogue).of
    kinds = {kind for kind, _ in maps}
    print(
        f"{FLAGS.model_dir}/{PHRASES_NAME}: {len(maps)} maps of things, of {len(kinds)}"
        " sub-categories"
    )


def _learn_words() -> None:
    sizes = {name: FLAGS[entry.flag].value for name, entry in SIZES.items()}
    for name, entry in SIZES.items():
        entry.check(sizes[name])
    dataset = read_dataset_json(FLAGS.records)
    check_layout(dataset, FLAGS.records)
    backbone = backbone_of_flags(dataset["backbone"])
    trained = train_evidence(
        FLAGS.records, FLAGS.model_dir, backbone, catalogue=FLAGS.catalogue, **sizes
    )
    visible = int((trained.evidence.visible > 0).sum())
    print(
        f"{FLAGS.model_dir}/{WEIGHTS_NAME}: evidence for {visible} of"
        f" {len(trained.settings.pieces)} word pieces"
    )


if __name__ == "__main__":
    run_command(main)

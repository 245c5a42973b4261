"""Learns which cells of a photo show which word, for `write_alignments --evidence`:

    python -m data_prep.train_word_evidence --records=records/train --model_dir=evidence

A linear fit from the photos' convolutional maps to the words of their texts: the maps take a minute
or two for two thousand photos, the fit seconds. The photos are read once more, cut as the records'
patches were. Started again, the command goes on with the maps that are there.
"""

import os

# TensorFlow's start-up notes, and its search for a GPU, hide what this program says.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from absl import flags

from data_prep import photo_flags
from data_prep.alignment.evidence_training import train_evidence
from data_prep.alignment.word_evidence import WEIGHTS_NAME, EvidenceSettings
from data_prep.photo_flags import backbone_of_flags, define_photo_flags
from kaleido_tf.command import run_command
from kaleido_tf.command_line.setting_flags import define_setting_flags
from kaleido_tf.records.dataset_json import read_dataset_json
from kaleido_tf.settings import settings_of

flags.DEFINE_string("records", None, "Folder of kaleido records to learn from.", required=True)
flags.DEFINE_string("model_dir", None, "Where the evidence and the maps are kept.", required=True)
define_photo_flags()
flags.adopt_module_key_flags(photo_flags)
SIZES = settings_of(EvidenceSettings)
define_setting_flags(EvidenceSettings)
FLAGS = flags.FLAGS


def main(_):
    sizes = {name: FLAGS[entry.flag].value for name, entry in SIZES.items()}
    for name, entry in SIZES.items():
        entry.check(sizes[name])
    dataset = read_dataset_json(FLAGS.records)
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

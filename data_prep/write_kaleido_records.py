"""Catalogue to records: `python -m data_prep.write_kaleido_records --catalogue=products.jsonl --output_dir=records`.

Photos are cropped to the product, cut into 55 kaleido patches and turned into features once; training then reads
only the records. Interrupted runs go on with the same command.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow's start-up notes hide what this program says

from absl import flags

from data_prep.backbones import build_backbone
from data_prep.catalogue import read_catalogue
from data_prep.kaleido_records import TEXT_FIELDS, RecordSettings, check_catalogue, write_records
from kaleido_tf.command import run_command
from kaleido_tf.errors import InputError
from kaleido_tf.text import DEFAULT_VOCABULARY

_DEFAULTS = RecordSettings()

flags.DEFINE_string("catalogue", None, "products.jsonl or its folder, Fashion-Gen HDF5 file(s), or tfds:NAME.", required=True)
flags.DEFINE_string("output_dir", None, "Each split gets a folder of shards in here.", required=True)
flags.DEFINE_string("split", None, "Split to write; default: every split of the catalogue.")
flags.DEFINE_string("backbone", _DEFAULTS.backbone, "resnet50, squeezenet or any model of tf_keras.applications.")
flags.DEFINE_string("backbone_weights", _DEFAULTS.backbone_weights, "imagenet, random, or the path of a Keras HDF5 file.")
flags.DEFINE_string("patch_size", "native", "native: patches at their own size; a number (the original: 224): resized to it.")
flags.DEFINE_integer("crop_size", _DEFAULTS.crop_size, "Long side in pixels of the crop that is cut into patches.")
flags.DEFINE_string("foreground", _DEFAULTS.foreground, "How the product is found: border, grabcut or none (whole photo).")
flags.DEFINE_enum("text_field", _DEFAULTS.text_field, TEXT_FIELDS, "Which text is paired with the photos.")
flags.DEFINE_string("vocab", str(DEFAULT_VOCABULARY), "WordPiece vocabulary, one token a line.")
flags.DEFINE_integer("records_per_shard", _DEFAULTS.records_per_shard, "Images a shard.", lower_bound=1)
flags.DEFINE_integer("images_per_batch", _DEFAULTS.images_per_batch, "Images through the backbone at once.", lower_bound=1)
flags.DEFINE_enum("on_bad_record", _DEFAULTS.on_bad_record, ["fail", "skip"], "What an unusable photo, text or manifest line does.")
flags.DEFINE_float("max_bad_fraction", _DEFAULTS.max_bad_fraction, "With skip: fail above this share of bad images and unreadable manifest lines.")
FLAGS = flags.FLAGS


def main(_):
    if FLAGS.patch_size != "native" and not FLAGS.patch_size.isdigit():
        raise InputError(f"--patch_size must be native or a number of pixels. Received: {FLAGS.patch_size}")
    settings = RecordSettings(
        backbone=FLAGS.backbone,
        backbone_weights=FLAGS.backbone_weights,
        patch_size=None if FLAGS.patch_size == "native" else int(FLAGS.patch_size),
        crop_size=FLAGS.crop_size,
        foreground=FLAGS.foreground,
        text_field=FLAGS.text_field,
        vocabulary=FLAGS.vocab,
        records_per_shard=FLAGS.records_per_shard,
        images_per_batch=FLAGS.images_per_batch,
        on_bad_record=FLAGS.on_bad_record,
        max_bad_fraction=FLAGS.max_bad_fraction,
    )
    catalogue = read_catalogue(FLAGS.catalogue, skip_unusable=FLAGS.on_bad_record == "skip")
    check_catalogue(catalogue, settings)
    splits = [FLAGS.split] if FLAGS.split else sorted({product.split for product in catalogue.products})
    for split in splits:
        catalogue.of_split(split)  # an unknown split is told before the backbone is built
    backbone = build_backbone(settings.backbone, settings.backbone_weights)
    for split in splits:
        dataset = write_records(catalogue, split, FLAGS.output_dir, settings, backbone)
        print(
            f"{FLAGS.output_dir}/{split}: {dataset['records']} records of {dataset['products']} products in "
            f"{len(dataset['shards'])} shards, {dataset['feature_size']} floats a patch, "
            f"{dataset['crops_kept_whole']} photos kept whole, {len(dataset['skipped'])} skipped"
        )


if __name__ == "__main__":
    run_command(main)

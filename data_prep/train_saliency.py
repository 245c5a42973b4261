"""Trains the network behind `--foreground=unet`:

    python -m data_prep.train_saliency --images=photos --masks=masks --model_dir=saliency
    python -m data_prep.train_saliency --items=ecssd/items.jsonl,ccp/items.jsonl --model_dir=saliency

With --images and --masks every photo has a PNG of its name; a share of them is held out. With --items a listing names photos,
masks and their split. Interrupted runs go on with the same command; `saliency.safetensors` in --model_dir is the best epoch.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow's start-up notes hide what this program says

import numpy as np
from absl import flags, logging

from data_prep.mask_augmentation import read_examples
from data_prep.mask_files import KINDS, MaskPair, find_pairs, read_listing
from data_prep.saliency import ENCODERS, UNetSettings
from data_prep.saliency_training import WEIGHTS_NAME, TrainSettings, train
from kaleido_tf.command import run_command
from kaleido_tf.errors import InputError

_DEFAULT = TrainSettings()
flags.DEFINE_list("images", [], "Folder(s) of photos.")
flags.DEFINE_list("masks", [], "Folder(s) of masks (PNG), one for each of --images, with the photos' names.")
flags.DEFINE_list("mask_kind", ["mask"], "mask: above 127 is foreground; label_map: above 0 is. One for all folders, or one for each.")
flags.DEFINE_list("items", [], "Listing(s) of photos, masks or label maps, and splits, instead of --images and --masks.")
flags.DEFINE_float("holdout", 0.2, "Share of the photos of --images to hold out.", lower_bound=0.0, upper_bound=1.0)
flags.DEFINE_string("model_dir", None, "Where the run is kept.", required=True)
flags.DEFINE_enum("encoder", _DEFAULT.network.encoder, ENCODERS, "plain, or squeezenet (1.1).")
flags.DEFINE_string("encoder_weights", _DEFAULT.encoder_weights, "Keras HDF5 file of SqueezeNet to begin with; empty: random.")
flags.DEFINE_integer("width", _DEFAULT.network.width, "Channels at full size; see data_prep/saliency.py.")
flags.DEFINE_integer("side", _DEFAULT.network.side, "Working size in pixels.")
flags.DEFINE_integer("epochs", _DEFAULT.epochs, "Passes over the training photos.", lower_bound=1)
flags.DEFINE_integer("batch_size", _DEFAULT.batch_size, "Photos a step.", lower_bound=1)
flags.DEFINE_float("learning_rate", _DEFAULT.learning_rate, "Of Adam, at its height.")
flags.DEFINE_integer("seed", _DEFAULT.seed, "Of the first weights, the order and the augmentation.", lower_bound=0)
FLAGS = flags.FLAGS


def chosen_pairs() -> dict[str, list[MaskPair]]:
    """The pairs that the flags name, by split."""
    if bool(FLAGS.items) == bool(FLAGS.images or FLAGS.masks):
        raise InputError("Either --items or --images and --masks are needed. Received: " + ("both" if FLAGS.items else "neither"))
    if FLAGS.items:
        pairs = [pair for path in FLAGS.items for pair in read_listing(path)]
        return {split: [pair for pair in pairs if pair.split == split] for split in ("train", "valid")}
    kinds = FLAGS.mask_kind * len(FLAGS.images) if len(FLAGS.mask_kind) == 1 else FLAGS.mask_kind
    if not len(FLAGS.images) == len(FLAGS.masks) == len(kinds):
        raise InputError(
            "--images, --masks and --mask_kind must be equally many (or one --mask_kind). Received: "
            f"{len(FLAGS.images)}, {len(FLAGS.masks)} and {len(kinds)}"
        )
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown:
        raise InputError(f"--mask_kind must be one of {', '.join(KINDS)}. Received: {unknown[0]}")
    split = {"train": [], "valid": []}
    for arguments in zip(FLAGS.images, FLAGS.masks, kinds):  # each folder gives its share
        pairs = find_pairs(*arguments)
        order = np.random.default_rng(FLAGS.seed).permutation(len(pairs))
        count = round(FLAGS.holdout * len(pairs))
        split["valid"] += [pairs[n] for n in sorted(order[:count])]
        split["train"] += [pairs[n] for n in sorted(order[count:])]
    return split


def main(_):
    logging.set_verbosity(logging.WARNING)  # TensorFlow's saver notes how long it took, in every epoch
    settings = TrainSettings(
        network=UNetSettings(FLAGS.encoder, FLAGS.width, FLAGS.side),
        encoder_weights=FLAGS.encoder_weights,
        epochs=FLAGS.epochs,
        batch_size=FLAGS.batch_size,
        learning_rate=FLAGS.learning_rate,
        seed=FLAGS.seed,
    )
    examples = {split: read_examples(pairs, FLAGS.side) for split, pairs in chosen_pairs().items()}
    print(f"{len(examples['train'])} photos to learn from, {len(examples['valid'])} held out", flush=True)
    best = train(examples, FLAGS.model_dir, settings)
    print(
        f"{FLAGS.model_dir}/{WEIGHTS_NAME}: epoch {best['epoch']}, mean IoU {best['mask_iou']:.3f}, F {best['f_measure']:.3f}, crop box "
        f"IoU {best['box_iou']:.3f} on the photos held out"
    )


if __name__ == "__main__":
    run_command(main)

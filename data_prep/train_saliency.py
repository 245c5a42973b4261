"""Trains the network behind `--foreground=unet`:

    python -m data_prep.train_saliency --images=photos --masks=masks --model_dir=saliency
    python -m data_prep.train_saliency --items=ecssd.jsonl,ccp.jsonl --model_dir=saliency

With --images and --masks every photo has a PNG of its name; a share of them is held out. With
--items a listing names photos, masks and their split. Interrupted runs go on with the same command;
`saliency.safetensors` in --model_dir is the best epoch.
"""

import os

# TensorFlow's start-up notes, and its search for a GPU, hide what this program says.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from absl import flags, logging

from data_prep.foreground.mask_augmentation import read_mask_examples
from data_prep.foreground.mask_files import choose_pairs
from data_prep.foreground.saliency import UNetSettings
from data_prep.foreground.saliency_training import WEIGHTS_NAME, TrainSettings, train
from kaleido_tf.command import run_command
from kaleido_tf.command_line.setting_flags import define_setting_flags, read_settings
from kaleido_tf.files.whole_files import check_writable

flags.DEFINE_list("images", [], "Folder(s) of photos.")
flags.DEFINE_list(
    "masks", [], "Folder(s) of masks (PNG), one for each of --images, with the photos' names."
)
flags.DEFINE_list(
    "mask_kind",
    ["mask"],
    "mask: above 127 is foreground; label_map: above 0 is. One for all folders, or one for each.",
)
flags.DEFINE_list(
    "items",
    [],
    "Listing(s) of photos, masks or label maps, and splits, instead of --images and --masks.",
)
flags.DEFINE_float(
    "holdout", 0.2, "Share of the photos of --images to hold out.", lower_bound=0.0, upper_bound=1.0
)
flags.DEFINE_string("model_dir", None, "Where the run is kept.", required=True)
define_setting_flags(UNetSettings)
define_setting_flags(TrainSettings)
FLAGS = flags.FLAGS


def main(_):
    # TensorFlow's saver notes how long it took, in every epoch
    logging.set_verbosity(logging.WARNING)
    settings = read_settings(TrainSettings, network=read_settings(UNetSettings))
    check_writable(FLAGS.model_dir)  # before all photos are read
    pairs = choose_pairs(
        FLAGS.images, FLAGS.masks, FLAGS.mask_kind, FLAGS.items, FLAGS.holdout, FLAGS.seed
    )
    examples = {split: read_mask_examples(chosen, FLAGS.side) for split, chosen in pairs.items()}
    print(
        f"{len(examples['train'])} photos to learn from, {len(examples['valid'])} held out",
        flush=True,
    )
    best = train(examples, FLAGS.model_dir, settings)
    print(
        f"{FLAGS.model_dir}/{WEIGHTS_NAME}: epoch {best['epoch']}, mean IoU {best['mask_iou']:.3f},"
        f" F {best['f_measure']:.3f}, crop box IoU {best['box_iou']:.3f} on the photos held out"
    )


if __name__ == "__main__":
    run_command(main)

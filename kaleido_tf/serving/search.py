"""Finds products of an index: `python -m kaleido_tf.serving.search --index=index --text="a red wool
coat"`, by a photo (--image), by both, or (--like) those that look like one of its own.
"""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from absl import flags

from kaleido_tf.command import run_command
from kaleido_tf.errors import InputError
from kaleido_tf.serving import searcher_flags
from kaleido_tf.serving.answers import TOP, Query
from kaleido_tf.serving.searcher_flags import define_searcher_flags

flags.DEFINE_string("text", None, "Words that describe what is sought.")
flags.DEFINE_string("image", None, "Photo of what is sought.")
flags.DEFINE_string("like", None, "Id of a product of the index: others like it are sought.")
flags.DEFINE_string(
    "filter", None, "Fields that results must have: category=Dress,colour=blue|navy."
)
flags.DEFINE_integer("top", TOP, "Products to find.", lower_bound=1)
flags.DEFINE_integer(
    "rerank", 0, "So many of the best are scored again by the whole model.", lower_bound=0
)
flags.DEFINE_float(
    "min_probability",
    0.0,
    "Products that match less probably are no answer; of an index with probabilities.",
    lower_bound=0.0,
    upper_bound=1.0,
)
flags.DEFINE_string("sheet", None, "PNG file of the photos found; needs --catalogue.")
flags.DEFINE_string("catalogue", None, "The catalogue with the photos of --sheet.")
define_searcher_flags()
flags.adopt_module_key_flags(searcher_flags)
FLAGS = flags.FLAGS


def main(_) -> None:
    """Searches, and prints a line a product."""
    from kaleido_tf.files.images import read_image
    from kaleido_tf.serving.catalogue_photos import photos_of
    from kaleido_tf.serving.contact_sheet import write_sheet
    from kaleido_tf.serving.found_table import found_table

    if FLAGS.sheet and not FLAGS.sheet.lower().endswith(".png"):
        raise InputError(f"--sheet: a name that ends in .png is needed. Received: {FLAGS.sheet}")
    if FLAGS.sheet and not FLAGS.catalogue:
        raise InputError(
            f"--sheet needs --catalogue, whose photos it shows. Received: {FLAGS.sheet}"
        )
    searcher = searcher_flags.open_searcher()
    query = Query(
        text=FLAGS.text,
        photo=None if FLAGS.image is None else read_image(FLAGS.image, "--image"),
        like=FLAGS.like,
        filter=FLAGS.filter,
        top=FLAGS.top if FLAGS["top"].present else None,
        rerank=FLAGS.rerank,
        min_probability=FLAGS.min_probability,
    )
    query.check()
    photos = photos_of(FLAGS.catalogue) if FLAGS.sheet else None
    found = searcher.find(query)
    unread = searcher.unread(FLAGS.text) if FLAGS.text else None
    if unread:
        print(f"note: {unread}", file=sys.stderr)
    print(found_table(found))
    if photos and found:
        write_sheet(found, photos, FLAGS.sheet)
        print(f"their photos: {FLAGS.sheet}", file=sys.stderr)


if __name__ == "__main__":
    run_command(main)

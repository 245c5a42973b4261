"""What the two sides of `benchmarks.mvlt_step` share: the batch, and that they compute the same."""

import numpy as np

MASKED = 20
LOSSES = ("masked_lm_loss", "next_sentence_loss", "image_loss")
SIDES = ("tensorflow", "pytorch")


def draw_batch(config, size: int) -> dict[str, np.ndarray]:
    """`size` examples as the pretrainer of an MVLT takes them."""
    draw = np.random.default_rng(1)
    photos = draw.uniform(0, 1, [size, config.image_side, config.image_side, 3])
    ids = draw.integers(1000, config.vocab_size, [size, config.text_seq_len])
    places = [np.sort(draw.permutation(config.text_seq_len)[:MASKED]) for _ in range(size)]
    return {
        "images": photos.astype(np.float32),
        "image_targets": photos.astype(np.float32),
        "input_ids": ids.astype(np.int32),
        "masked_lm_positions": np.array(places, np.int32),
        "masked_lm_ids": draw.integers(1000, config.vocab_size, [size, MASKED]).astype(np.int32),
        "masked_lm_weights": np.ones([size, MASKED], np.float32),
        "next_sentence_label": draw.integers(0, 2, [size]).astype(np.int32),
    }


def check_agreement(figures: dict[str, dict], largest: float) -> None:
    """Holds the losses of both sides, before and after their first update, against each other."""
    ours, theirs = (
        np.array([[step[name] for name in LOSSES] for step in figures[side]["losses"]])
        for side in SIDES
    )
    far = np.abs(ours - theirs) / np.abs(theirs)
    print(f"losses of two steps differ by at most {far.max():.1e} of themselves")
    if far.max() > largest:
        raise SystemExit(f"they must agree: {ours.tolist()} and {theirs.tolist()}")

import numpy as np

from kaleido_tf.search.half_floats import to_float32


def test_every_finite_half_float():
    halves = np.arange(1 << 16).astype(np.uint16).view(np.float16)
    halves = halves[np.isfinite(halves)]
    floats = to_float32(halves, np.empty(len(halves), np.float32))
    assert (floats.view(np.int32) == halves.astype(np.float32).view(np.int32)).all()

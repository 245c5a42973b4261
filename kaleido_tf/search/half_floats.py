"""float16 to float32 as fast as memory gives it: NumPy converts one number at a time, which takes
five times as long as the products that are to be computed of them.
"""

import numpy as np

_SIGN_AND_REST = np.int32(-0x70002000)  # 0x8fffe000: the bits that a half float can have there
_BIAS = np.float32(2.0**112)  # between the exponents of both


def to_float32(halves: np.ndarray, out: np.ndarray) -> np.ndarray:
    """Fills `out` (float32, C order) with `halves` (float16 of the same shape, finite), exactly.

    The bits of a half float, moved to the places of a float's, are that number times 2^-112.
    """
    bits = out.view(np.int32)
    bits[...] = halves.view(np.int16)
    np.left_shift(bits, 13, out=bits)
    np.bitwise_and(bits, _SIGN_AND_REST, out=bits)
    return np.multiply(out, _BIAS, out=out)

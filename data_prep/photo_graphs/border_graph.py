"""The foreground method `border` of photos with a plain background in TensorFlow's operations; see
`data_prep.foreground.border_contrast`, whose steps and numbers these are.

H, W = height and width in pixels.
"""

import cv2
import numpy as np
import tensorflow as tf

from data_prep.foreground import border_contrast as border
from data_prep.photo_graphs.regions import closed, large_regions, regions_with, without_holes
from data_prep.photo_graphs.resizing import shrink

_STEPS = 32
"""Of each colour between two of which OpenCV interpolates Lab."""
_PARTS = 16
"""Between two steps."""
_BLUR = 0.8
_REACH = 3  # pixels that OpenCV blurs over at that sigma
NOT_PLAIN = (
    "photo: --foreground=border is exported for plain backgrounds alone. Received: a photo whose"
    " edge is not one smooth surface"
)


class BorderGraph:
    """[H, W, 3] uint8 RGB -> [H, W] bool: the product. A photo whose background is not plain fails
    with `NOT_PLAIN`.

    Attributes: variables: that it reads.
    """

    def __init__(self):
        self._lab = tf.Variable(_lab_table(), trainable=False, name="lab")
        self.variables = [self._lab]

    def __call__(self, photo: tf.Tensor) -> tf.Tensor:
        """The mask."""
        height, width = tf.shape(photo)[0], tf.shape(photo)[1]
        lab = self._to_lab(_blurred(tf.cast(_small(photo), tf.float32) / 255))
        surface, spread, plain = _fit_surface(lab)
        with tf.control_dependencies([tf.debugging.Assert(plain, [NOT_PLAIN])]):
            mask = _plain_mask(tf.norm(lab - surface, axis=2), spread)
        rows, columns = (
            _nearest(*sides) for sides in zip(tf.unstack(tf.shape(mask)), (height, width))
        )
        return tf.gather(tf.gather(mask, rows), columns, axis=1)

    def _to_lab(self, pixels):
        """[H, W, 3] 0..1 -> Lab, interpolated between the table's colours as OpenCV does."""
        places = tf.cast(tf.round(tf.clip_by_value(pixels, 0, 1) * 2**14), tf.int32)
        places = places // (2**14 // (_STEPS * _PARTS))
        first, part = places // _PARTS, places % _PARTS
        total = tf.fill(tf.shape(places), _PARTS**3 // 2)  # so that what follows rounds
        for corner in np.ndindex(2, 2, 2):
            at = tf.minimum(first + corner, _STEPS)
            weights = tf.where(np.array(corner, bool), part, _PARTS - part)
            total += tf.gather_nd(self._lab, at) * tf.reduce_prod(weights, -1, keepdims=True)
        lab = tf.cast(total // _PARTS**3, tf.float32) / 2**14
        return lab * (100.0, 256.0, 256.0) - (0.0, 128.0, 128.0)


def _lab_table() -> np.ndarray:
    """[33, 33, 33, 3] int32: L, a and b in OpenCV's whole numbers, by red, green and blue."""
    steps = np.linspace(0, 1, _STEPS + 1, dtype=np.float32)
    colours = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1)
    lab = cv2.cvtColor(colours.reshape(1, -1, 3), cv2.COLOR_RGB2LAB).reshape(colours.shape)
    return np.round((lab + (0, 128, 128)) / (100, 256, 256) * 2**14).astype(np.int32)


def _small(photo):
    sides = tf.shape(photo)[:2]
    scale = border.PLAIN_SIZE / tf.reduce_max(sides)
    small = tf.maximum(1, tf.cast(tf.round(scale * tf.cast(sides, tf.float64)), tf.int32))
    return tf.cond(scale < 1, lambda: shrink(photo, small[0], small[1]), lambda: photo)


def _blurred(pixels):
    """Gaussian blur of [H, W, 3] as OpenCV has it, which mirrors the picture at its edges."""
    kernel = cv2.getGaussianKernel(2 * _REACH + 1, _BLUR, cv2.CV_32F)[:, 0]
    sides = [[_REACH, _REACH], [_REACH, _REACH], [0, 0]]
    padded = tf.pad(pixels, sides, "REFLECT")
    height, width = tf.shape(pixels)[0], tf.shape(pixels)[1]
    across = tf.add_n([kernel[n] * padded[:, n : n + width] for n in range(len(kernel))])
    return tf.add_n([kernel[n] * across[n : n + height] for n in range(len(kernel))])


def _fit_surface(lab):
    """([H, W, 3] predicted background, its spread, whether it is plain)."""
    height, width = tf.shape(lab)[0], tf.shape(lab)[1]
    y, x = tf.meshgrid(tf.linspace(-1.0, 1.0, height), tf.linspace(-1.0, 1.0, width), indexing="ij")
    terms = tf.stack([tf.ones_like(x), x, y, x * y, x * x, y * y], axis=-1)
    band = _edge_band(height, width, 0.04)
    edge_terms, edge = tf.boolean_mask(terms, band), tf.boolean_mask(lab, band)
    residual = tf.norm(edge - _median(edge), axis=1)
    for _ in range(6):
        scale = 4.7 * tf.maximum(1.5 * _median(residual), 1.0)
        weights = tf.maximum(1 - (residual / scale) ** 2, 0)[:, None] + 1e-6
        moments = tf.matmul(edge_terms, weights * edge_terms, transpose_a=True)
        sides = tf.matmul(edge_terms, weights * edge, transpose_a=True)
        coefficients = tf.linalg.solve(moments + 1e-3 * tf.eye(6), sides)
        residual = tf.norm(edge - tf.matmul(edge_terms, coefficients), axis=1)
    near = residual < border.PLAIN_RESIDUAL
    plain = tf.reduce_mean(tf.cast(near, tf.float32)) >= border.PLAIN_SHARE
    spread = _percentile(tf.concat([[0.0], tf.boolean_mask(residual, near)], 0), 95)
    return tf.einsum("hwt,tc->hwc", terms, coefficients), spread, plain


def _edge_band(height, width, share: float):
    least = tf.cast(tf.minimum(height, width), tf.float64)
    thickness = tf.maximum(1, tf.cast(tf.round(share * least), tf.int32))
    rows, columns = tf.range(height)[:, None], tf.range(width)[None]
    inside = (rows >= thickness) & (rows < height - thickness)
    return ~(inside & (columns >= thickness) & (columns < width - thickness))


def _median(values):
    """Of [n, ...] along the first axis."""
    ordered, count = tf.sort(values, axis=0), tf.shape(values)[0]
    return (ordered[(count - 1) // 2] + ordered[count // 2]) / 2


def _percentile(values, share: float):
    """Of [1 + n], leaving out the first; 0 where n is 0."""
    ordered, last = tf.sort(values[1:]), tf.size(values) - 2
    place = tf.cast(last, tf.float32) * (share / 100)
    first = tf.cast(tf.floor(place), tf.int32)
    ordered = tf.concat([ordered, [0.0]], 0)
    lower, upper = (
        ordered[tf.maximum(first, 0)],
        ordered[tf.maximum(tf.minimum(first + 1, last), 0)],
    )
    return lower + (upper - lower) * (place - tf.floor(place))


def _plain_mask(distance, spread):
    """[H, W] bool of distances [H, W] from the background's surface."""
    mask = _above(distance, spread, 1.0)
    for strictness in (2.0, 4.0):
        mask = tf.cond(
            touches_all_edges(mask),
            lambda strictness=strictness: _above(distance, spread, strictness),
            lambda mask=mask: mask,
        )
    return mask


def _above(distance, spread, strictness: float):
    faint = strictness * tf.maximum(border.FAINT, 1.3 * spread)
    clear = strictness * tf.maximum(border.CLEAR, 2.6 * spread)
    mask = closed(regions_with(distance > faint, distance > clear), 5)
    return large_regions(without_holes(mask), 0.01)


def touches_all_edges(mask):
    """Whether `mask` [H, W] has a true pixel on each of the four edges of the picture."""
    edges = (mask[0], mask[-1], mask[:, 0], mask[:, -1])
    return tf.reduce_all([tf.reduce_any(edge) for edge in edges])


def _nearest(before, after):
    """[after] int32: the places [before] that cv2.INTER_NEAREST takes."""
    scale = tf.cast(before, tf.float64) / tf.cast(after, tf.float64)
    places = tf.floor(tf.range(after, dtype=tf.float64) * scale)
    return tf.minimum(tf.cast(places, tf.int32), before - 1)

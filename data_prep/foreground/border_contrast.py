"""Which pixels differ from the edge of the picture: the mask behind `methods.METHODS["border"]`.

A catalogue photo has a smooth background, so a smooth surface fitted to the edge predicts it
everywhere and what leaves the surface is product. Any other picture (a street, a room) has an edge
of several colours; there
two cues are added up: the distance to the colours of the edge, and the minimum barrier distance
  (Zhang et
al., ICCV 2015, "Minimum barrier salient object detection"), which asks how large a colour step a
way from the edge to the pixel cannot avoid.

H, W = size in pixels; colours are Lab as OpenCV's float conversion gives it (L 0..100, a and b
about +-100).
"""

import cv2
import numpy as np

PLAIN_SIZE = 256  # long side in pixels for smooth backgrounds, where the outline can be exact
BUSY_SIZE = 64  # for all other pictures, where only a rough region can be had
# so much of the edge must lie on the surface; the rest may be product that leaves the photo
PLAIN_SHARE = 0.7
PLAIN_RESIDUAL = 4.0  # Lab units within which an edge pixel lies on the surface
# Lab units off the surface: a product has a clear pixel and all faint ones around it
FAINT, CLEAR = 2.0, 5.0
EDGE_COLOURS = 4
CENTRE_SPREAD = 0.45  # of the side; photographers put things in the middle


def mask_against_border(image: np.ndarray) -> tuple[np.ndarray, bool]:
    """[H, W, 3] uint8 RGB -> ([H, W] bool mask, whether the background is plain)."""
    lab = to_lab(shrink(image, PLAIN_SIZE), blur=0.8)
    surface, spread = fit_surface(lab)
    plain = surface is not None
    mask = plain_mask(lab, surface, spread) if plain else busy_mask(image)
    return resize_mask(mask, *image.shape[:2]), plain


def shrink(image: np.ndarray, long_side: int) -> np.ndarray:
    """[H, W, C] -> the same picture with its long side at most `long_side` pixels."""
    scale = long_side / max(image.shape[:2])
    if scale >= 1:
        return image
    height, width = (max(1, round(scale * side)) for side in image.shape[:2])
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


def resize_mask(mask: np.ndarray, height: int, width: int) -> np.ndarray:
    """[h, w] bool -> [height, width] bool."""
    return cv2.resize(mask.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST) > 0


def to_lab(image: np.ndarray, blur: float) -> np.ndarray:
    """[H, W, 3] uint8 RGB -> [H, W, 3] float32 Lab; `blur` is a sigma in pixels, 0 for none."""
    scaled = image.astype(np.float32) / 255.0
    if blur:
        scaled = cv2.GaussianBlur(scaled, (0, 0), blur)
    return cv2.cvtColor(scaled, cv2.COLOR_RGB2LAB)


def edge_band(height: int, width: int, share: float) -> np.ndarray:
    """[height, width] bool, true in a band along the edge; its width is `share` of the
    short side.
    """
    thickness = max(1, round(share * min(height, width)))
    band = np.ones((height, width), bool)
    band[thickness:-thickness, thickness:-thickness] = False
    return band


def large_components(mask: np.ndarray, share: float) -> np.ndarray:
    """Keeps the connected regions of `mask` [H, W] with at least `share` of the largest
    one's area.
    """
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    areas = stats[:, cv2.CC_STAT_AREA]
    keep = areas >= share * areas[1:].max(initial=1)
    keep[0] = False
    return keep[labels]


def fit_surface(lab: np.ndarray) -> tuple[np.ndarray | None, float]:
    """Fits a quadratic surface to the colours of the edge, robustly.

    lab: [H, W, 3]. Returns: ([H, W, 3] predicted background, the edge's spread around it in Lab
      units);
    (None, spread) if the edge is not one smooth surface.
    """
    height, width = lab.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    terms = np.stack([np.ones_like(x), x, y, x * y, x * x, y * y], axis=-1)
    band = edge_band(height, width, 0.04)
    edge_terms, edge = terms[band], lab[band]
    residual = np.linalg.norm(edge - np.median(edge, axis=0), axis=1)
    # Tukey's weights; six rounds are enough for the fit to leave the product's pixels
    for _ in range(6):
        scale = 4.7 * max(1.5 * float(np.median(residual)), 1.0)
        weights = np.clip(1 - (residual / scale) ** 2, 0, None)[:, None] + 1e-6
        moments = edge_terms.T @ (weights * edge_terms) + 1e-3 * np.eye(6, dtype=np.float32)
        coefficients = np.linalg.solve(moments, edge_terms.T @ (weights * edge))
        residual = np.linalg.norm(edge - edge_terms @ coefficients, axis=1)
    near = residual < PLAIN_RESIDUAL
    if near.mean() < PLAIN_SHARE:
        return None, float(np.median(residual))
    return terms @ coefficients, float(np.percentile(residual[near], 95))


def plain_mask(lab: np.ndarray, surface: np.ndarray, spread: float) -> np.ndarray:
    """What leaves the background's surface. [H, W, 3], [H, W, 3] -> [H, W] bool.

    Where the surface fits badly (a fold in the backdrop) the first mask runs along all edges of the
    picture; then the thresholds are doubled until it does not.
    """
    distance = np.linalg.norm(lab - surface, axis=2)
    for strictness in (1, 2, 4):
        mask = _above_thresholds(
            distance, strictness * max(FAINT, 1.3 * spread), strictness * max(CLEAR, 2.6 * spread)
        )
        if not touches_all_edges(mask):
            break
    return mask


def _above_thresholds(distance: np.ndarray, faint: float, clear: float) -> np.ndarray:
    """Regions of `distance` [H, W] above `faint` that have a pixel above `clear`, holes filled, as
    [H, W] bool.

    The outline of a white shirt on white paper is faint, but somewhere it has a clear shadow,
    button or label.
    """
    count, labels = cv2.connectedComponents((distance > faint).astype(np.uint8))
    keep = np.zeros(count, bool)
    keep[labels[distance > clear]] = True
    keep[0] = False
    mask = cv2.morphologyEx(
        keep[labels].astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8)
    )
    outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(mask, outlines, -1, 1, thickness=cv2.FILLED)
    return large_components(mask > 0, 0.01)


def touches_all_edges(mask: np.ndarray) -> bool:
    """Whether `mask` [H, W] has a true pixel on each of the four edges of the picture."""
    return bool(mask[0].any() and mask[-1].any() and mask[:, 0].any() and mask[:, -1].any())


def busy_mask(image: np.ndarray) -> np.ndarray:
    """Both cues and a centre prior, cut at Otsu's threshold. [H, W, 3] uint8 -> [h, w]
    bool, small.
    """
    small = shrink(image, BUSY_SIZE)
    saliency = _stretch(distance_to_edge_colours(to_lab(small, blur=0.7)))
    saliency += _stretch(minimum_barrier_distance(to_lab(small, blur=0)))
    height, width = saliency.shape
    y, x = np.mgrid[-0.5 : 0.5 : height * 1j, -0.5 : 0.5 : width * 1j]
    saliency *= np.exp(-(x * x + y * y) / (2 * CENTRE_SPREAD**2))
    grey = np.round(255 * _stretch(saliency)).astype(np.uint8)
    threshold, _ = cv2.threshold(grey, 0, 255, cv2.THRESH_OTSU)
    return large_components(grey > threshold, 0.3)


def _stretch(values: np.ndarray) -> np.ndarray:
    """[H, W] -> [H, W] in 0..1, so that the cues weigh alike; the brightest 1% is cut off."""
    return np.clip(values / max(float(np.percentile(values, 99)), 1e-6), 0, 1)


def distance_to_edge_colours(lab: np.ndarray) -> np.ndarray:
    """Mahalanobis distance of every pixel to the nearest of the edge's colours. [H, W, 3] -> [H,
    W].
    """
    height, width = lab.shape[:2]
    edge = lab[edge_band(height, width, 0.08)]
    colours = min(EDGE_COLOURS, len(edge))
    cv2.setRNGSeed(1)
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 20, 0.5)
    _, labels, centres = cv2.kmeans(edge, colours, None, criteria, 1, cv2.KMEANS_PP_CENTERS)
    distances = []
    for index, centre in enumerate(centres):
        members = edge[labels[:, 0] == index]
        # too few to be background; perhaps the product itself
        if len(members) < max(2, 0.05 * len(edge)):
            continue
        covariance = np.cov(members.T) + 9 * np.eye(3)  # 3 Lab units of noise at the least
        offset = lab - centre
        distances.append(
            np.sqrt(np.einsum("hwi,ij,hwj->hw", offset, np.linalg.inv(covariance), offset))
        )
    return np.min(distances, axis=0) if distances else np.zeros((height, width))


def minimum_barrier_distance(lab: np.ndarray, rounds: int = 2) -> np.ndarray:
    """The smallest range of colours on any way from the edge to the pixel. [H, W, 3] -> [H, W] Lab
    units.

    Summed over the three channels. Approximated as in the paper by sweeping over the picture; here
    a sweep goes row by row (or column by column) so that a whole row is one array operation.
    """
    distance = np.full(lab.shape, np.inf, np.float32)
    distance[[0, -1]] = 0
    distance[:, [0, -1]] = 0
    # distance, highest and lowest value on the way, values
    state = [distance, lab.copy(), lab.copy(), lab]
    columns = [array.swapaxes(0, 1) for array in state]
    for _ in range(rounds):
        for views in (state, columns):
            _sweep(*views)
            _sweep(*(view[::-1] for view in views))
    return distance.sum(axis=2)


def _sweep(distance: np.ndarray, high: np.ndarray, low: np.ndarray, values: np.ndarray) -> None:
    """Extends the ways of each row to the next row where that is shorter; changes the first three
    in place.
    """
    for row in range(1, len(values)):
        highest = np.maximum(high[row - 1], values[row])
        lowest = np.minimum(low[row - 1], values[row])
        barrier = highest - lowest
        shorter = barrier < distance[row]
        np.copyto(distance[row], barrier, where=shorter)
        np.copyto(high[row], highest, where=shorter)
        np.copyto(low[row], lowest, where=shorter)

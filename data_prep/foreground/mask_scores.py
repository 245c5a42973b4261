"""How well a foreground mask and the crop box that follows from it fit the true mask. H, W = size
in pixels.
"""

import numpy as np

from data_prep.foreground.crops import Box, Crop, mask_box

# the saliency field's F-measure weighs precision above recall (Achanta et al., CVPR 2009)
BETA_SQUARED = 0.3


def scores(mask: np.ndarray, truth: np.ndarray, crop: Crop) -> dict[str, float]:
    """`mask_iou`, `f_measure` and `box_iou` of one picture, each in 0..1.

    mask, truth: [H, W] bool. crop: what `mask` was made into; its box has a margin, the true one
      has not. Of an empty true
    mask the box is the whole picture, as `foreground` would keep it.
    """
    height, width = truth.shape
    box = mask_box(truth) if truth.any() else (0, width, 0, height)
    return {
        "mask_iou": mask_iou(mask, truth),
        "f_measure": f_measure(mask, truth),
        "box_iou": box_iou(crop.box, box),
    }


def mask_iou(mask: np.ndarray, truth: np.ndarray) -> float:
    """Intersection over union of two masks [H, W]; 1 if both are empty."""
    union = (mask | truth).sum()
    return float((mask & truth).sum() / union) if union else 1.0


def f_measure(mask: np.ndarray, truth: np.ndarray) -> float:
    """(1 + b) P R / (b P + R) with b = `BETA_SQUARED`, precision P and recall R of the pixels; 1 if
    both are empty.
    """
    both, predicted, true = (int(part.sum()) for part in (mask & truth, mask, truth))
    if not both:
        return float(predicted == true)
    precision, recall = both / predicted, both / true
    return (1 + BETA_SQUARED) * precision * recall / (BETA_SQUARED * precision + recall)


def box_iou(a: Box, b: Box) -> float:
    """Intersection over union of two boxes (x1, x2, y1, y2)."""
    width = max(0, min(a[1], b[1]) - max(a[0], b[0]))
    height = max(0, min(a[3], b[3]) - max(a[2], b[2]))
    area_a, area_b = ((box[1] - box[0]) * (box[3] - box[2]) for box in (a, b))
    return width * height / (area_a + area_b - width * height)

"""The rivals of `data_prep.features`: the 55 patches of crops, cut with OpenCV and taken through
the same ResNet-50 by plain PyTorch or by ONNX Runtime, all patches of one size at once.

N = crops, P = patches of one size, F = feature size.
"""

from collections.abc import Callable

import cv2
import numpy as np

from kaleido_tf.patches import NUM_PATCHES, kaleido_boxes

SIDES = ("pytorch", "onnxruntime")
MEAN_BGR = (103.939, 116.779, 123.68)
FEATURE_SIZE = 2048


def features_of(crops: np.ndarray, network: Callable, side: int | None) -> np.ndarray:
    """[N, 55, F] float32 of crops [N, h, w, 3] uint8 RGB.

    Args: network: as `pytorch_network`. side: pixels that patches are resized to; None: they are
      not.
    """
    boxes = kaleido_boxes(crops.shape[2], crops.shape[1])[:, :4]
    sizes = {}
    for number, (x1, x2, y1, y2) in enumerate(boxes):
        size = (side, side) if side else (x2 - x1, y2 - y1)
        sizes.setdefault(size, []).append(number)
    features = np.empty([len(crops), NUM_PATCHES, FEATURE_SIZE], np.float32)
    for size, members in sizes.items():
        cut = [_cut(crop, boxes[number], size) for crop in crops for number in members]
        found = network(prepared(np.stack(cut)))
        features[:, members] = found.reshape(len(crops), len(members), -1)
    return features


def _cut(crop, box, size):
    x1, x2, y1, y2 = box
    patch = crop[y1:y2, x1:x2]
    return patch if patch.shape[1::-1] == size else cv2.resize(patch, size)


def prepared(patches: np.ndarray) -> np.ndarray:
    """[P, 3, h, w] float32 BGR without ImageNet's mean, of patches [P, h, w, 3] uint8 RGB."""
    return (patches[..., ::-1] - np.array(MEAN_BGR, np.float32)).transpose(0, 3, 1, 2)


def pytorch_network(weights: dict[str, np.ndarray]) -> Callable:
    """[P, 3, h, w] to [P, F]. Args: weights: by the names that tf_keras gives them."""
    import torch

    from benchmarks.steps.torch_resnet import KERAS, resnet

    network = resnet(form=KERAS)
    wanted = [key for key in network.state_dict() if not key.endswith("num_batches_tracked")]
    state = {key: torch.from_numpy(_in_torch(weights[keras_name(key)])) for key in wanted}
    network.load_state_dict(state, strict=False)
    network.eval()

    def run(patches):
        images = torch.from_numpy(patches).contiguous(memory_format=torch.channels_last)
        with torch.inference_mode():
            return network(images).mean((2, 3)).numpy()

    return run


def onnx_network(path: str) -> Callable:
    """[P, 3, h, w] to [P, F] by a file that `comparison` has exported."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda patches: session.run(None, {name: np.ascontiguousarray(patches)})[0]


_PARTS = {
    "weight": "gamma",
    "bias": "beta",
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
}


def keras_name(key: str) -> str:
    """What tf_keras calls a weight of `torch_resnet.resnet`.

    >>> keras_name("5.0.downsample.1.running_var")
    'conv3_block1_0_bn/moving_variance'
    """
    *scope, part = key.split(".")
    if len(scope) == 1:
        stage, is_norm = "conv1", scope[0] == "1"
    else:
        place, is_norm = scope[2][-1], scope[2].startswith("bn")
        if scope[2] == "downsample":
            place, is_norm = "0", scope[3] == "1"
        stage = f"conv{int(scope[0]) - 2}_block{int(scope[1]) + 1}_{place}"
    if is_norm:
        return f"{stage}_bn/{_PARTS[part]}"
    return f"{stage}_conv/{'kernel' if part == 'weight' else part}"


def _in_torch(array):
    return array.transpose(3, 2, 0, 1).copy() if array.ndim == 4 else array

"""ResNet in plain PyTorch, in the two forms that are met: torchvision's, whose bottlenecks take
their stride in the 3 x 3 convolution, and the first one (He et al., 2016), as in tf_keras.
"""

import dataclasses

import torch
from torch import nn

EXPANSION = 4


@dataclasses.dataclass(frozen=True)
class Form:
    """What differs between ResNets of the same sizes.

    stride_first: whether bottlenecks take their stride in the first 1 x 1 convolution.
    bias: of convolutions. epsilon: of batch norms.
    """

    stride_first: bool = False
    bias: bool = False
    epsilon: float = 1e-5


TORCHVISION = Form()
KERAS = Form(stride_first=True, bias=True, epsilon=1.001e-5)


def _convolution(inputs, outputs, side, stride, form):
    return nn.Conv2d(inputs, outputs, side, stride, side // 2, bias=form.bias)


class Bottleneck(nn.Module):
    """1 x 1, 3 x 3 and 1 x 1 convolution beside a shortcut."""

    def __init__(self, inputs, width, stride, form):
        super().__init__()
        outputs = width * EXPANSION
        first, second = (stride, 1) if form.stride_first else (1, stride)
        self.conv1 = _convolution(inputs, width, 1, first, form)
        self.conv2 = _convolution(width, width, 3, second, form)
        self.conv3 = _convolution(width, outputs, 1, 1, form)
        self.bn1, self.bn2 = (nn.BatchNorm2d(width, form.epsilon) for _ in range(2))
        self.bn3 = nn.BatchNorm2d(outputs, form.epsilon)
        self.downsample = nn.Identity()
        if stride > 1 or inputs != outputs:
            shortcut = _convolution(inputs, outputs, 1, stride, form)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(outputs, form.epsilon))

    def forward(self, maps):
        hidden = torch.relu(self.bn1(self.conv1(maps)))
        hidden = torch.relu(self.bn2(self.conv2(hidden)))
        return torch.relu(self.bn3(self.conv3(hidden)) + self.downsample(maps))


def resnet(width: int = 64, depths=(3, 4, 6, 3), form: Form = TORCHVISION) -> nn.Sequential:
    """[B, 3, H, W] to its last map, [B, 32 * width, H / 32, W / 32]; modules have the numbers of
    FashionViL's release. Args: width: of the stem. depths: bottlenecks of the four stages.
    """
    parts = [
        _convolution(3, width, 7, 2, form),
        nn.BatchNorm2d(width, form.epsilon),
        nn.ReLU(),
        nn.MaxPool2d(3, 2, 1),
    ]
    inputs = width
    for stage, depth in enumerate(depths):
        size, blocks = width * 2**stage, []
        for number in range(depth):
            blocks.append(Bottleneck(inputs, size, 2 if stage and not number else 1, form))
            inputs = size * EXPANSION
        parts.append(nn.Sequential(*blocks))
    return nn.Sequential(*parts).to(memory_format=torch.channels_last)

"""YOLOX in PyTorch: network, SimOTA and losses as in Megvii's main branch (Ge et al. 2021, arXiv:2107.08430).

Parameters have Megvii's names. Boxes are cx, cy, w, h in input pixels. Raw outputs [B,A,5+C] are tx, ty, tw, th,
objectness logit and class logits; anchors are the cells of the levels with strides 8, 16, 32, row-major.
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

STRIDES = (8, 16, 32)


class ConvBnSilu(nn.Sequential):
    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, (kernel - 1) // 2, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.03)
        self.act = nn.SiLU(inplace=True)


class Separable(nn.Sequential):
    """A depthwise k×k convolution, then a pointwise one."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1):
        super().__init__()
        self.dconv = ConvBnSilu(inputs, inputs, kernel, stride, groups=inputs)
        self.pconv = ConvBnSilu(inputs, outputs, 1)


class Focus(nn.Sequential):
    """Space to depth, patches top-left, bottom-left, top-right, bottom-right; then a convolution."""

    def __init__(self, outputs: int):
        super().__init__()
        self.conv = ConvBnSilu(12, outputs, 3)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(torch.cat([x[..., row::2, column::2] for column in (0, 1) for row in (0, 1)], 1))


class Bottleneck(nn.Sequential):
    def __init__(self, channels: int, shortcut: bool, conv: type[nn.Module]):
        super().__init__()
        self.conv1 = ConvBnSilu(channels, channels, 1)
        self.conv2 = conv(channels, channels, 3)
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + x if self.shortcut else super().forward(x)


class Csp(nn.Module):
    def __init__(self, inputs: int, outputs: int, n: int, conv: type[nn.Module], shortcut: bool = False):
        super().__init__()
        hidden = outputs // 2
        self.conv1 = ConvBnSilu(inputs, hidden, 1)
        self.conv2 = ConvBnSilu(inputs, hidden, 1)
        self.conv3 = ConvBnSilu(2 * hidden, outputs, 1)
        self.m = nn.Sequential(*(Bottleneck(hidden, shortcut, conv) for _ in range(n)))

    def forward(self, x: Tensor) -> Tensor:
        return self.conv3(torch.cat((self.m(self.conv1(x)), self.conv2(x)), 1))


class Spp(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.conv1 = ConvBnSilu(channels, channels // 2, 1)
        self.conv2 = ConvBnSilu(channels * 2, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(x)
        return self.conv2(torch.cat([x, *(F.max_pool2d(x, k, 1, k // 2) for k in (5, 9, 13))], 1))


class Darknet(nn.Module):
    def __init__(self, depth: float, width: float, conv: type[nn.Module]):
        super().__init__()
        base, n = int(64 * width), max(round(depth * 3), 1)
        self.stem = Focus(base)
        for k, repeats in ((2, n), (3, 3 * n), (4, 3 * n), (5, n)):
            channels = base * 2 ** (k - 1)
            spp = [Spp(channels)] if k == 5 else []
            csp = Csp(channels, channels, repeats, conv, shortcut=k < 5)
            setattr(self, f"dark{k}", nn.Sequential(conv(channels // 2, channels, 3, 2), *spp, csp))

    def forward(self, x: Tensor) -> list[Tensor]:
        c3 = self.dark3(self.dark2(self.stem(x)))
        c4 = self.dark4(c3)
        return [c3, c4, self.dark5(c4)]


class Pafpn(nn.Module):
    def __init__(self, depth: float, width: float, conv: type[nn.Module]):
        super().__init__()
        self.backbone = Darknet(depth, width, conv)
        p3, p4, p5 = (int(full * width) for full in (256, 512, 1024))
        n = round(3 * depth)
        self.lateral_conv0, self.reduce_conv1 = ConvBnSilu(p5, p4, 1), ConvBnSilu(p4, p3, 1)
        self.C3_p4, self.C3_p3 = Csp(2 * p4, p4, n, conv), Csp(2 * p3, p3, n, conv)
        self.bu_conv2, self.bu_conv1 = conv(p3, p3, 3, 2), conv(p4, p4, 3, 2)
        self.C3_n3, self.C3_n4 = Csp(2 * p3, p4, n, conv), Csp(2 * p4, p5, n, conv)

    def forward(self, x: Tensor) -> list[Tensor]:
        c3, c4, c5 = self.backbone(x)
        lateral5 = self.lateral_conv0(c5)
        lateral4 = self.reduce_conv1(self.C3_p4(torch.cat((F.interpolate(lateral5, scale_factor=2), c4), 1)))
        p3 = self.C3_p3(torch.cat((F.interpolate(lateral4, scale_factor=2), c3), 1))
        p4 = self.C3_n3(torch.cat((self.bu_conv2(p3), lateral4), 1))
        return [p3, p4, self.C3_n4(torch.cat((self.bu_conv1(p4), lateral5), 1))]


class Head(nn.Module):
    def __init__(self, width: float, classes: int, conv: type[nn.Module]):
        super().__init__()
        hidden = int(256 * width)

        def branch() -> nn.Module:
            return nn.Sequential(conv(hidden, hidden, 3), conv(hidden, hidden, 3))

        def predict(outputs: int) -> nn.ModuleList:
            return nn.ModuleList(nn.Conv2d(hidden, outputs, 1) for _ in STRIDES)

        self.stems = nn.ModuleList(ConvBnSilu(int(full * width), hidden, 1) for full in (256, 512, 1024))
        self.cls_convs = nn.ModuleList(branch() for _ in STRIDES)
        self.reg_convs = nn.ModuleList(branch() for _ in STRIDES)
        self.cls_preds, self.reg_preds, self.obj_preds = predict(classes), predict(4), predict(1)
        for layer in (*self.cls_preds, *self.obj_preds):
            nn.init.constant_(layer.bias, -math.log(99))

    def forward(self, features: list[Tensor]) -> Tensor:
        levels = []
        for i, feature in enumerate(features):
            x = self.stems[i](feature)
            reg = self.reg_convs[i](x)
            outputs = self.reg_preds[i](reg), self.obj_preds[i](reg), self.cls_preds[i](self.cls_convs[i](x))
            levels.append(torch.cat(outputs, 1).flatten(2).transpose(1, 2))
        return torch.cat(levels, 1)


class Yolox(nn.Module):
    """Images [B,3,H,W] BGR 0–255 → raw outputs [B,A,5+C]."""

    def __init__(self, depth: float, width: float, depthwise: bool, classes: int):
        super().__init__()
        conv = Separable if depthwise else ConvBnSilu
        self.backbone = Pafpn(depth, width, conv)
        self.head = Head(width, classes, conv)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.backbone(x))


class Anchors(NamedTuple):
    grid: Tensor  # [A,2] column and row
    stride: Tensor  # [A,1] pixels


def make_anchors(height: int, width: int, dtype: torch.dtype = torch.float32) -> Anchors:
    grids = [torch.cartesian_prod(torch.arange(height // s), torch.arange(width // s)).flip(1) for s in STRIDES]
    strides = [torch.full((len(grid), 1), s) for grid, s in zip(grids, STRIDES)]
    return Anchors(torch.cat(grids).to(dtype), torch.cat(strides).to(dtype))


def decode(raw: Tensor, anchors: Anchors) -> Tensor:
    """Boxes [...,A,4] of raw outputs."""
    return torch.cat(((raw[..., :2] + anchors.grid) * anchors.stride, raw[..., 2:4].exp() * anchors.stride), -1)


def box_iou(a: Tensor, b: Tensor, epsilon: float = 0) -> Tensor:
    low = torch.max(a[..., :2] - a[..., 2:] / 2, b[..., :2] - b[..., 2:] / 2)
    high = torch.min(a[..., :2] + a[..., 2:] / 2, b[..., :2] + b[..., 2:] / 2)
    shared = (high - low).prod(-1) * (low < high).all(-1)
    return shared / (a[..., 2:].prod(-1) + b[..., 2:].prod(-1) - shared + epsilon)


@torch.no_grad()
def assign(raw: Tensor, boxes: Tensor, labels: Tensor, anchors: Anchors) -> tuple[Tensor, Tensor]:
    """SimOTA on one image: label row [A] (−1 background) and IoU [A] of raw [A,5+C], boxes [A,4], labels [M,5]."""
    matched, matched_iou = torch.full((len(raw),), -1), raw.new_zeros(len(raw))
    rows = (labels.sum(1) > 0).nonzero().flatten()
    objects = labels[rows]
    centre, reach = (anchors.grid + 0.5) * anchors.stride, 1.5 * anchors.stride
    middle = objects[:, None, 1:3]
    near = ((centre > middle - reach) & (centre < middle + reach)).all(-1)
    candidates = near.any(0).nonzero().flatten()
    if len(candidates) == 0:
        return matched, matched_iou
    near, raw = near[:, candidates], raw[candidates]

    iou = box_iou(objects[:, None, 1:], boxes[candidates])
    probability = (raw[:, 5:].sigmoid() * raw[:, 4:5].sigmoid()).sqrt().expand(len(rows), -1, -1)
    one_hot = F.one_hot(objects[:, 0].long(), raw.shape[1] - 5).to(raw.dtype)[:, None].expand_as(probability)
    class_cost = F.binary_cross_entropy(probability, one_hot, reduction="none").sum(-1)
    cost = class_cost - 3 * (iou + 1e-8).log() + 1e6 * ~near

    k = iou.topk(min(10, len(candidates))).values.sum(1).int().clamp(min=1)
    most = int(k.max())
    cheapest = cost.topk(most, largest=False).indices
    chosen = torch.zeros_like(near).scatter_(1, cheapest, torch.arange(most) < k[:, None])
    contested = chosen.sum(0) > 1
    chosen[:, contested] = F.one_hot(cost[:, contested].argmin(0), len(rows)).T.bool()

    won, owner = chosen.any(0), chosen.int().argmax(0)
    matched[candidates[won]] = rows[owner[won]]
    matched_iou[candidates[won]] = iou[owner[won], won.nonzero().flatten()]
    return matched, matched_iou


Losses = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]
"""Total, 5·IoU, objectness, class, L1."""


def yolox_loss(raw: Tensor, labels: Tensor, anchors: Anchors, use_l1: bool) -> tuple[Losses, Tensor, Tensor]:
    """Losses of raw [B,A,5+C] and labels [B,M,5] (class, box; zeros are none), matched rows and IoUs [B,A]."""
    boxes = decode(raw, anchors)
    found = [assign(*image, anchors) for image in zip(raw.detach(), boxes.detach(), labels)]
    matched, matched_iou = (torch.stack(part) for part in zip(*found))
    image, anchor = (matched >= 0).nonzero(as_tuple=True)
    normalizer = max(len(anchor), 1)
    target = labels[image, matched[image, anchor]]
    grid, stride = anchors.grid[anchor], anchors.stride[anchor]

    iou = 5 * ((1 - box_iou(boxes[image, anchor], target[:, 1:], 1e-16) ** 2).sum() / normalizer)
    is_object = (matched >= 0).to(raw.dtype)
    obj = F.binary_cross_entropy_with_logits(raw[..., 4], is_object, reduction="sum") / normalizer
    one_hot = F.one_hot(target[:, 0].long(), raw.shape[2] - 5) * matched_iou[image, anchor, None]
    cls = F.binary_cross_entropy_with_logits(raw[image, anchor, 5:], one_hot, reduction="sum") / normalizer
    l1 = raw.new_zeros(())
    if use_l1:
        raw_target = torch.cat((target[:, 1:3] / stride - grid, (target[:, 3:] / stride + 1e-8).log()), 1)
        l1 = (raw[image, anchor, :4] - raw_target).abs().sum() / normalizer
    return (iou + obj + cls + l1, iou, obj, cls, l1), matched, matched_iou

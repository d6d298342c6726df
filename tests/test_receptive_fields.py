"""The receptive-field references against torch, its known networks against torchvision."""

import pytest
import torch
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st
from right_receptive_fields import rf_region_by_gradient
from torch import nn
from torch.nn import functional as F

from autograder.references.receptive_fields import functions
from autograder.references.receptive_fields.size import RESNET18, VGG16

LAYERS = st.lists(st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(0, 3),
                            st.integers(1, 3)), max_size=4)


def row_of_ones(layers, input_size):
    """The input and the output of a 1-D network of equal, positive weights."""
    x = torch.ones(1, 1, input_size, dtype=torch.float64, requires_grad=True)
    out = x * 1
    for k, s, p, d in layers:
        out = F.conv1d(F.pad(out, (p, p)), torch.full((1, 1, k), 1 / k).double(), stride=s,
                       dilation=d)
    return x, out[0, 0]


@settings(max_examples=150, deadline=None)
@given(LAYERS, st.integers(1, 40), st.data())
def test_sizes_and_regions_equal_torch(layers, input_size, data):
    """Each unit's first and last pixel are those of its gradient; what torch refuses is refused."""
    try:
        x, out = row_of_ones(layers, input_size)
    except RuntimeError:
        with pytest.raises(ValueError):
            functions.rf_table(layers, input_size)
        return
    assert functions.rf_table(layers, input_size)[-1]["size"] == len(out)
    index = data.draw(st.integers(0, len(out) - 1))
    assert functions.rf_region(layers, input_size, index) == rf_region_by_gradient(
        layers, input_size, index)


@settings(max_examples=60, deadline=None)
@given(LAYERS)
def test_fields_jumps_and_starts_equal_torch_far_from_the_borders(layers):
    """Two neighbours in the middle of a wide row: their fields' width, distance and centre."""
    size = 1200
    row, (x, out) = functions.rf_table(layers, size)[-1], row_of_ones(layers, size)
    ends = []
    for index in (len(out) // 2, len(out) // 2 + 1):
        seen = torch.autograd.grad(out[index], x, retain_graph=True)[0][0, 0].nonzero().flatten()
        ends.append((seen[0].item(), seen[-1].item()))
    (low, high), (next_low, _) = ends
    assert (row["rf"], row["jump"]) == (high - low + 1, next_low - low)
    assert row["start"] + len(out) // 2 * row["jump"] == (low + high) / 2
    assert functions.rf_size(layers) == row["rf"]


def test_measured_bounds_equal_the_formula():
    """A network with everything in it has, along each axis, the bounds of its layers."""
    module = nn.Sequential(nn.Conv2d(2, 3, (3, 5), (1, 2), (1, 0)), nn.BatchNorm2d(3), nn.ReLU(),
                           nn.MaxPool2d(3, 2, 1), nn.Conv2d(3, 1, (2, 3), dilation=(2, 1))).double()
    layers = [(3, 1, 1, 1), (3, 2, 1, 1), (2, 1, 0, 2)], [(5, 2, 0, 1), (3, 2, 1, 1), (3, 1, 0, 1)]
    for unit in ((0, 0), (3, 2), (5, 4)):
        regions = [functions.rf_region(axis, size, index)
                   for axis, size, index in zip(layers, (17, 33), unit, strict=True)]
        assert functions.rf_by_gradient(module, (2, 17, 33), unit) == (*regions[0], *regions[1])


def test_merged_paths_equal_a_residual_block():
    """The union of two paths is what a sum of two convolutions sees."""
    paths = [(3, 1, 0, 1), (1, 1, 0, 1)], [(2, 1, 0, 2)]
    rows = [functions.rf_table(path, 12)[-1] for path in paths]
    merged = functions.merge_paths(*rows)
    x = torch.ones(1, 1, 12, dtype=torch.float64, requires_grad=True)
    total = sum(F.conv1d(F.conv1d(x, torch.ones(1, 1, path[0][0]).double(), dilation=path[0][3]),
                         torch.ones(1, 1, 1).double()) for path in paths)
    seen = torch.autograd.grad(total[0, 0, 4], x)[0][0, 0].nonzero().flatten()
    middle = merged["start"] + 4 * merged["jump"]
    assert (middle - (merged["rf"] - 1) / 2, middle + (merged["rf"] - 1) / 2) == (
        seen[0].item(), seen[-1].item())


@pytest.mark.parametrize("depth", [5, 10, 20])
def test_shares_of_equal_weights_follow_the_closed_form(depth):
    """Their spread is sqrt(2 * depth / 3) pixels along each axis."""
    size = 2 * depth + 5
    module = nn.Sequential(*[nn.Conv2d(1, 1, 3, padding=1, bias=False) for _ in range(depth)])
    for layer in module:
        nn.init.constant_(layer.weight, 1 / 9)
    profile = functions.shares(module.double(), torch.ones(1, 1, size, size).double()).sum(dim=0)
    offsets = torch.arange(size).double() - size // 2
    spread = (profile * offsets ** 2).sum().sqrt()
    torch.testing.assert_close(spread, torch.tensor((2 * depth / 3) ** 0.5).double())


def layers_of(convolutions_and_pools):
    """The tuples of a chain of torch layers, along the height."""
    found = []
    for part in convolutions_and_pools:
        if isinstance(part, nn.Conv2d | nn.MaxPool2d):
            values = [getattr(part, name) for name in
                      ("kernel_size", "stride", "padding", "dilation")]
            found.append(tuple(v[0] if isinstance(v, tuple) else v for v in values))
    return tuple(found)


def test_known_networks_are_torchvision_s():
    """The tuples in the hidden tests are the layers of torchvision's models."""
    vgg, resnet = torchvision.models.vgg16(), torchvision.models.resnet18()
    assert layers_of(vgg.features) == VGG16 and functions.rf_size(VGG16) == 212
    blocks = [block for stage in (resnet.layer1, resnet.layer2, resnet.layer3, resnet.layer4)
              for block in stage]
    chain = [resnet.conv1, resnet.maxpool]
    chain += [conv for block in blocks for conv in (block.conv1, block.conv2)]
    assert layers_of(chain) == RESNET18 and functions.rf_size(RESNET18) == 435

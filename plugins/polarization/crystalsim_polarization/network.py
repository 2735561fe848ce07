"""Networks on the nodes of crystals, linear in the flow.

Geometry and flow are two streams: the geometry passes through nonlinear layers, the flow through
linear ones without a bias, whose channels the geometry scales. Hence a step is linear in the
strain rate that it is given, and blind to the unit and sign of the densities.
"""

from __future__ import annotations

import functools

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

from .support import (
    GEOMETRY_PARITY,
    MOMENT_PARITY,
    MOMENTS,
    NEIGHBOURS,
    ODD_X,
    ODD_Z,
    Support,
    mirrored_order,
)

SHARED = 8
"""Channels of the moments of crystals."""


class Neighbourhood(nn.Module):
    """A 3 x 3 convolution on cells and on corners, each with its four neighbours of the other kind.

    Nodes that are not there count as zero: a submanifold sparse convolution (Graham & van der
    Maaten 2017, arXiv:1706.01307) on a staggered grid.

    Parameters
    ----------
    inputs, outputs
        Channels.
    bias
        Whether to add one.
    """

    def __init__(self, inputs: int, outputs: int, *, bias: bool) -> None:
        super().__init__()
        self.cell = nn.Linear(NEIGHBOURS * inputs, outputs, bias=bias)
        self.corner = nn.Linear(NEIGHBOURS * inputs, outputs, bias=bias)

    def forward(self, x: Tensor, support: Support, mirror: int) -> Tensor:
        """Map (node, inputs) to (node, outputs), as in a mirrored world if `mirror` says so."""
        padded = torch.cat([x, x.new_zeros(1, x.shape[1])])
        layers, orders = (self.cell, self.corner), mirrored_order(mirror)
        found = []
        for layer, around, order in zip(layers, support.neighbours, orders, strict=True):
            chosen = around[:, order] if mirror else around
            # index_select is twice as fast as an index, forward and backward.
            seen = padded.index_select(0, chosen.flatten())
            found.append(layer(seen.view(chosen.shape[0], chosen.shape[1] * x.shape[1])))
        return torch.cat(found)


class CrystalMoments(nn.Module):
    """What a whole crystal knows: moments of the channels over it, mixed and spread again.

    The same on coarse and fine grids, where neighbours alone would reach ever less far.

    Parameters
    ----------
    width
        Channels in and out.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.narrow = nn.Linear(width, SHARED, bias=False)
        self.mix = nn.Linear(MOMENTS * SHARED, MOMENTS * SHARED, bias=False)
        self.widen = nn.Linear(SHARED, width, bias=False)
        nn.init.zeros_(self.widen.weight)

    def forward(self, x: Tensor, support: Support, moments: Tensor) -> Tensor:
        """Keep the shape (node, width) of `x`."""
        weighted = self.narrow(x) * support.share[:, None]
        products = (moments[:, :, None] * weighted[:, None, :]).flatten(1)
        total = products.new_zeros(support.crystals, MOMENTS * SHARED)
        total = total.index_add(0, support.crystal, products)
        spread = self.mix(total)[support.crystal].unflatten(1, (MOMENTS, SHARED))
        return self.widen((moments[:, :, None] * spread).sum(dim=1))


class Step(nn.Module):
    """From a strain rate on the crystals to the direction of the stress that takes it away.

    Parameters
    ----------
    width, geometry_width
        Channels of the two streams.
    layers
        Layers of the flow.
    """

    def __init__(self, width: int, geometry_width: int, layers: int) -> None:
        super().__init__()
        self.geometry = nn.ModuleList(
            Neighbourhood(inputs, geometry_width, bias=True)
            for inputs in (len(GEOMETRY_PARITY), geometry_width)
        )
        self.lift = Neighbourhood(1, width, bias=False)
        self.near = nn.ModuleList(Neighbourhood(width, width, bias=False) for _ in range(layers))
        self.whole = nn.ModuleList(CrystalMoments(width) for _ in range(layers))
        self.scale = nn.ModuleList(nn.Linear(geometry_width, width) for _ in range(layers + 1))
        self.cell = nn.Linear(width, 1, bias=False)
        self.corner = nn.Linear(width, 1, bias=False)
        # The untrained network leaves the direction to the diagonal preconditioner.
        nn.init.zeros_(self.cell.weight)
        nn.init.zeros_(self.corner.weight)

    def forward(self, strain: Tensor, support: Support, mirror: int) -> Tensor:
        """Map (node) to (node); mirrored inside, which makes the mean over mirrors symmetric."""
        moments = support.moments * _signs(MOMENT_PARITY, mirror, strain.device)
        seen = support.geometry * _signs(GEOMETRY_PARITY, mirror, strain.device)
        signs = support.parity_signs(mirror)
        first, second = self.geometry
        shape = gelu(first(seen, support, mirror))
        shape = shape + gelu(second(shape, support, mirror))
        x = self.lift((strain * signs)[:, None], support, mirror)
        for near, whole, scale in zip(self.near, self.whole, self.scale, strict=False):
            scaled = x * (1.0 + scale(shape))
            x = x + near(scaled, support, mirror) + whole(scaled, support, moments)
        x = x * (1.0 + self.scale[-1](shape))
        count = support.cell_count
        return torch.cat([self.cell(x[:count]), self.corner(x[count:])])[:, 0] * signs


@functools.lru_cache(maxsize=64)
def _signs(parities: tuple[int, ...], mirror: int, device: torch.device) -> Tensor:
    return torch.tensor(
        [
            (-1.0 if p & mirror & ODD_X else 1.0) * (-1.0 if p & mirror & ODD_Z else 1.0)
            for p in parities
        ],
        device=device,
    )

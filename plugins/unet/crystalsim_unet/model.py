"""U-Net on cell corners."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, interpolate

from crystalsim.learning.surrogate import TorchSurrogate

from .plugin import UNetOptions, UNetPrototypeOptions


class UNet(TorchSurrogate):
    """U-Net that predicts a correction to a background flow (`dilute` by default).

    Corners of a grid are nested in those of the finer one, so that strides of two and bilinear
    interpolation between aligned corners keep the mirror symmetries of the problem. No
    normalisation layers: they would make a prediction depend on the extent of the domain.
    Ronneberger et al. (2015), doi:10.1007/978-3-319-24574-4_28.
    """

    options_class = UNetOptions

    def build_network(self, inputs: int, outputs: int) -> nn.Module:
        """Make the network; see `TorchSurrogate.build_network`."""
        return UNetNetwork(inputs, outputs, self.options.width, self.options.levels)


class UNetPrototype(UNet):
    """The same network by the recipe of the Julia prototype that crystalsim replaced.

    It sees the area of the crystals alone and gives the velocity in Stokes velocities of the first
    crystal, trained on the mean squared error. It cannot know the densities, nor the flow far from
    crystals. Kept to compare with.
    """

    options_class = UNetPrototypeOptions


class UNetNetwork(nn.Module):
    """Encoder and decoder with skip connections.

    Parameters
    ----------
    inputs, outputs
        Channels.
    width
        Channels on the finest level; each coarser level has twice as many.
    levels
        Number of grids.
    """

    def __init__(self, inputs: int, outputs: int, width: int, levels: int) -> None:
        super().__init__()
        widths = [width * 2**level for level in range(levels)]
        self.stem = nn.Conv2d(inputs, width, 3, padding=1)
        self.encode = nn.ModuleList(ResidualBlock(w) for w in widths)
        self.coarsen = nn.ModuleList(
            nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in pairwise(widths)
        )
        self.refine = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in pairwise(widths))
        self.decode = nn.ModuleList(ResidualBlock(w) for w in widths[:-1])
        self.last = nn.Conv2d(width, outputs, 3, padding=1)
        # The untrained network gives the background flow.
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """Map (sample, inputs, z, x) to (sample, outputs, z, x)."""
        x = self.stem(x.contiguous(memory_format=torch.channels_last))
        skips = []
        for level, block in enumerate(self.encode):
            if level:
                x = self.coarsen[level - 1](gelu(x))
            x = block(x)
            skips.append(x)
        for level in reversed(range(len(self.decode))):
            coarse = interpolate(
                self.refine[level](x),
                size=skips[level].shape[-2:],
                mode="bilinear",
                align_corners=True,
            )
            x = self.decode[level](skips[level] + coarse)
        return self.last(gelu(x))


class ResidualBlock(nn.Module):
    """Two convolutions beside an identity.

    Parameters
    ----------
    width
        Channels in and out.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape of `x`."""
        return x + self.second(gelu(self.first(gelu(x))))

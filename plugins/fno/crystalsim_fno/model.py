"""Fourier neural operator on cell corners, with sines and cosines in place of a periodic basis."""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

from crystalsim.learning.surrogate import TorchSurrogate

from .plugin import FNOOptions, FNOPrototypeOptions


class FNO(TorchSurrogate):
    """Fourier neural operator that corrects a background flow (`dilute` by default).

    Li et al. (2021), arXiv:2010.08895, with sine and cosine series in place of complex
    exponentials: walls are no periodic boundaries, and nothing is padded. Local 3 x 3 convolutions
    beside the spectral ones see what the truncated series do not.
    """

    options_class = FNOOptions

    def build_network(self, inputs: int, outputs: int) -> nn.Module:
        """Make the network; see `TorchSurrogate.build_network`."""
        options = self.options
        return FNONetwork(inputs, outputs, options.width, options.modes, options.layers)


class FNOPrototype(FNO):
    """The same network by the recipe of the Julia prototype that crystalsim replaced.

    It sees the area of the crystals alone and gives the velocity in Stokes velocities of the first
    crystal, trained on the mean squared error. It cannot know the densities, nor the flow far from
    crystals. Kept to compare with.
    """

    options_class = FNOPrototypeOptions


class FNONetwork(nn.Module):
    """Lifting, spectral layers, projection.

    Parameters
    ----------
    inputs, outputs
        Channels.
    width
        Channels inside.
    modes
        Wave numbers in each direction.
    layers
        Number of spectral layers.
    """

    def __init__(self, inputs: int, outputs: int, width: int, modes: int, layers: int) -> None:
        super().__init__()
        self.lift = nn.Conv2d(inputs, width, 3, padding=1)
        self.spectral = nn.ModuleList(SpectralLayer(width, modes) for _ in range(layers))
        self.local = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(layers))
        self.project = nn.Conv2d(width, 2 * width, 1)
        self.last = nn.Conv2d(2 * width, outputs, 1)
        # The untrained network gives the background flow.
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """Map (sample, inputs, z, x) to (sample, outputs, z, x)."""
        x = self.lift(x)
        for spectral, local in zip(self.spectral, self.local, strict=True):
            x = x + gelu(spectral(x) + local(x))
        return self.last(gelu(self.project(x)))


class SpectralLayer(nn.Module):
    """Products in wave number space, between cosine and sine series.

    Cosines in, cosines out is an even filter; sines on one side and cosines on the other let the
    layer take derivatives in either direction.

    Parameters
    ----------
    width
        Channels in and out.
    modes
        Wave numbers in each direction; fewer are used on grids that have not so many.
    """

    def __init__(self, width: int, modes: int) -> None:
        super().__init__()
        self.modes = modes
        self.weight = nn.Parameter(torch.randn(4, modes, modes, width, width) / (2 * width))

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape of `x`; computed in single precision."""
        dtype = x.dtype
        with torch.autocast(x.device.type, enabled=False):
            return self._transform(x.float()).to(dtype)

    def _transform(self, x: Tensor) -> Tensor:
        rows, columns = x.shape[-2:]
        in_z, in_x = min(self.modes, rows - 1), min(self.modes, columns - 1)
        cos_z, sin_z = series(rows, in_z, x.device)
        cos_x, sin_x = series(columns, in_x, x.device)
        # The trapezoidal rule: wall points stand for half a cell, or the layer's meaning would
        # depend on the grid to first order.
        along_z, along_x = trapezoid(rows, x.device), trapezoid(columns, x.device)
        in_z_modes = (cos_z * along_z) @ x
        even = in_z_modes @ (cos_x * along_x).T
        odd = in_z_modes @ (sin_x * along_x).T
        weight = self.weight[:, :in_z, :in_x]
        plain = mix(even, weight[0]) + mix(odd, weight[1])
        in_rows = plain @ cos_x + mix(even, weight[2]) @ sin_x
        return cos_z.T @ in_rows + sin_z.T @ (mix(even, weight[3]) @ cos_x)


def mix(modes: Tensor, weight: Tensor) -> Tensor:
    """Mix channels at each wave number.

    Parameters
    ----------
    modes
        (sample, channel, z, x).
    weight
        (z, x, channel in, channel out).
    """
    samples, channels, in_z, in_x = modes.shape
    # Contiguous stacks of small matrices: torch multiplies anything else one by one.
    stacked = modes.permute(2, 3, 0, 1).reshape(in_z * in_x, samples, channels)
    mixed = torch.bmm(stacked, weight.reshape(in_z * in_x, channels, -1))
    return mixed.reshape(in_z, in_x, samples, -1).permute(2, 3, 0, 1).contiguous()


def trapezoid(points: int, device: torch.device) -> Tensor:
    """Weights (points) that sum to two, so that a cosine times itself has the sum one."""
    weights = torch.full((points,), 2.0 / (points - 1), device=device)
    weights[0] = weights[-1] = 1.0 / (points - 1)
    return weights


@functools.lru_cache(maxsize=16)
def series(points: int, modes: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Cosines and sines on evenly spaced points from wall to wall.

    Returns
    -------
    cosines, sines
        (modes, points): wave numbers from 0 and from 1.
    """
    at = torch.linspace(0.0, math.pi, points, dtype=torch.float64)
    numbers = torch.arange(modes, dtype=torch.float64)[:, None]
    cosines, sines = torch.cos(numbers * at), torch.sin((numbers + 1) * at)
    return cosines.float().to(device), sines.float().to(device)

"""Fourier neural operator on cell corners, with sines and cosines in place of a periodic basis."""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

from crystalsim.learning.surrogate import TorchSurrogate

from .plugin import FNOOptions


class FNO(TorchSurrogate):
    """Fourier neural operator that predicts the correction to the isoviscous stream function.

    Li et al. (2021), arXiv:2010.08895, with sine and cosine series in place of complex exponentials:
    walls are no periodic boundaries, and nothing is padded. Local 3 x 3 convolutions beside the
    spectral ones see what the truncated series do not.
    """

    options_class = FNOOptions

    def build_network(self, inputs: int, outputs: int) -> nn.Module:
        """Make the network; see `TorchSurrogate.build_network`."""
        options = self.options
        return FNONetwork(inputs, outputs, options.width, options.modes, options.layers)


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
        # The untrained network gives the isoviscous flow.
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """Map (sample, inputs, z, x) to (sample, outputs, z, x)."""
        x = self.lift(x)
        for spectral, local in zip(self.spectral, self.local, strict=True):
            x = x + gelu(spectral(x) + local(x))
        return self.last(gelu(self.project(x)))


class SpectralLayer(nn.Module):
    """Product in wave number space: cosine to cosine and cosine to sine.

    An input in cosines alone could only be filtered evenly; giving each half of the outputs sines
    in x lets the layer take derivatives across mirrors.

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
        shape = (4, width, width, modes, modes)
        self.weight = nn.Parameter(torch.randn(shape) / (2 * width))

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
        total = torch.zeros_like(x)
        # (analysis, synthesis) pairs: even to even, and odd to odd with the parities in between.
        pairs = (
            (cos_z, cos_x, cos_z, cos_x),
            (cos_z, cos_x, cos_z, sin_x),
            (cos_z, cos_x, sin_z, cos_x),
            (cos_z, sin_x, cos_z, cos_x),
        )
        for weight, (from_z, from_x, to_z, to_x) in zip(self.weight, pairs, strict=True):
            modes = (2.0 / rows) * from_z @ x @ (from_x.T * (2.0 / columns))
            mixed = torch.einsum("bizx,iozx->bozx", modes, weight[:, :, :in_z, :in_x])
            total = total + to_z.T @ mixed @ to_x
        return total


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

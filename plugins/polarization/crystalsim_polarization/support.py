"""Cells and corners that carry extra stress, as one list of nodes for a whole batch."""

from __future__ import annotations

import torch
from torch import Tensor

from crystalsim.learning import transport
from crystalsim.learning.batches import Batch
from crystalsim.stokes.operators import strain_rate

SAME = ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (1, -1), (-1, 1), (-1, -1))
"""Neighbours of a cell among cells, or of a corner among corners: steps in (z, x)."""

CORNERS_OF_CELL = ((0, 0), (0, 1), (1, 0), (1, 1))
CELLS_OF_CORNER = ((-1, -1), (-1, 0), (0, -1), (0, 0))

NEIGHBOURS = len(SAME) + len(CORNERS_OF_CELL)
MOMENTS = 6
"""Functions of the position in a crystal, see `Support.moments`."""

EVEN, ODD_X, ODD_Z, ODD_BOTH = range(4)
"""Parities: bit 0 is set if a mirror in x changes the sign, bit 1 for z."""

MOMENT_PARITY = (EVEN, ODD_X, ODD_Z, EVEN, ODD_BOTH, EVEN)
GEOMETRY_PARITY = (EVEN,) * 13 + (ODD_X,) * 4 + (ODD_Z,) * 4 + (ODD_BOTH,) * 2


class Support:
    """The nodes of a batch: first all cells, then all interior corners, sample after sample.

    Parameters
    ----------
    batch
        The samples.
    spacing
        Cell sizes ``(hx, hz)`` in units of half the height.

    Attributes
    ----------
    rigidity, compliance
        ``rho = D / (1 + D)`` and ``1 / D = (1 - rho) / rho`` of each node (node).
    sample, crystal
        Sample of each node, and the crystal whose surface is nearest, counted through the batch.
    neighbours
        Nodes around cells and around corners (node, `NEIGHBOURS`), `size` where there is none.
    geometry
        Features (node, 23) with the parities `GEOMETRY_PARITY`.
    moments
        ``1, x, z, x**2 - z**2, x z, x**2 + z**2`` in radii from the crystal's centre (node, 6).
    share
        Of each node in the rigidity of its crystal (node).
    """

    def __init__(self, batch: Batch, spacing: tuple[float, float]) -> None:
        self._spacing = spacing
        cell, corner = batch.rigidity_cell, batch.rigidity_corner[:, 1:-1, 1:-1]
        self._shapes = cell.shape, corner.shape
        self._cells, self._corners = (m.nonzero(as_tuple=True) for m in (cell, corner))
        self.cell_count = self._cells[0].numel()
        self.size = self.cell_count + self._corners[0].numel()
        self.samples = cell.shape[0]
        self.rigidity = self.gather(cell, corner)
        self.compliance = (1.0 - self.rigidity) / self.rigidity
        self.sample = torch.cat([self._cells[0], self._corners[0]])
        self.neighbours = self._find_neighbours()
        self._describe(batch)

    def gather(self, cell: Tensor, corner: Tensor) -> Tensor:
        """Values on nodes of fields on cells and interior corners."""
        return torch.cat([cell[self._cells], corner[self._corners]])

    def scatter(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Fields on cells and interior corners of values on nodes."""
        cell, corner = (values.new_zeros(shape) for shape in self._shapes)
        return (
            cell.index_put(self._cells, values[: self.cell_count]),
            corner.index_put(self._corners, values[self.cell_count :]),
        )

    def strain_rate(self, psi: Tensor) -> Tensor:
        """Strain rate on nodes of a stream function (sample, nz + 1, nx + 1)."""
        return self.gather(*strain_rate(psi, *self._spacing))

    def response(self, stress: Tensor) -> Tensor:
        """Stream function that an extra stress on nodes takes away (sample, nz + 1, nx + 1)."""
        return transport.response(*self.scatter(stress), *self._spacing)

    def dot(self, first: Tensor, second: Tensor) -> Tensor:
        """Inner product over the nodes of each sample (sample)."""
        total = first.new_zeros(self.samples)
        return total.index_add(0, self.sample, first * second)

    def parity_signs(self, mirror: int) -> Tensor:
        """Signs of the strain rate under a mirror: normal is odd in z, shear in x (node)."""
        signs = self.rigidity.new_ones(self.size)
        signs[: self.cell_count] = -1.0 if mirror & ODD_Z else 1.0
        signs[self.cell_count :] = -1.0 if mirror & ODD_X else 1.0
        return signs

    def _find_neighbours(self) -> tuple[Tensor, Tensor]:
        # Numbers of nodes on cells and on all corners, with two empty lines around.
        (samples, nz, nx), device = self._shapes[0], self.sample.device
        cells = torch.full((samples, nz + 4, nx + 4), self.size, device=device)
        corners = torch.full((samples, nz + 5, nx + 5), self.size, device=device)
        numbers = torch.arange(self.size, device=device)
        s, j, i = self._cells
        cells[s, j + 2, i + 2] = numbers[: self.cell_count]
        around_cells = [cells[s, j + 2 + dj, i + 2 + di] for dj, di in SAME]
        n, k, m = self._corners  # interior ones: corner (k + 1, m + 1)
        corners[n, k + 3, m + 3] = numbers[self.cell_count :]
        around_cells += [corners[s, j + 2 + dj, i + 2 + di] for dj, di in CORNERS_OF_CELL]
        around_corners = [corners[n, k + 3 + dj, m + 3 + di] for dj, di in SAME]
        around_corners += [cells[n, k + 3 + dj, m + 3 + di] for dj, di in CELLS_OF_CORNER]
        return torch.stack(around_cells, dim=1), torch.stack(around_corners, dim=1)

    def _describe(self, batch: Batch) -> None:
        """Find the crystal of each node, and describe where the node is in it."""
        hx, hz = self._spacing
        nz, nx = self._shapes[0][1:]
        width, height = nx * hx, nz * hz
        x = torch.cat([(self._cells[2] + 0.5) * hx, (self._corners[2] + 1.0) * hx]) - 0.5 * width
        z = torch.cat([(self._cells[1] + 0.5) * hz, (self._corners[1] + 1.0) * hz]) - 0.5 * height
        crystals = batch.crystals[self.sample]
        east, north = x[:, None] - crystals[..., 0], z[:, None] - crystals[..., 1]
        centre_distance = torch.sqrt(east**2 + north**2 + 1e-12)
        gaps = centre_distance - crystals[..., 2]
        gaps = torch.where(crystals[..., 2] > 0, gaps, torch.full_like(gaps, 9.0))
        nearest = gaps.argmin(dim=1, keepdim=True)
        self.crystal = self.sample * crystals.shape[1] + nearest[:, 0]
        self.crystals = self.samples * crystals.shape[1]
        radius = crystals[..., 2].gather(1, nearest)[:, 0]
        xi, zeta = (d.gather(1, nearest)[:, 0] / radius for d in (east, north))
        gap, second = gaps.scatter(1, nearest, 9.0).min(dim=1, keepdim=True)
        gap = gap[:, 0]
        to_x, to_z = (-(d / centre_distance).gather(1, second)[:, 0] for d in (east, north))
        near, touching = torch.exp(-gap / radius), torch.exp(-0.5 * gap / hx)
        depth = (radius - gaps.gather(1, nearest)[:, 0] - radius) / hx
        west_wall, east_wall = (torch.exp(-(0.5 * width + s * x) / radius) for s in (1, -1))
        floor, top = (torch.exp(-(0.5 * height + s * z) / radius) for s in (1, -1))
        squared = xi**2 + zeta**2
        stiffness = -0.25 * torch.log10(self.compliance.clamp(min=1e-8))
        even = [
            *(self.rigidity, self.rigidity**4, torch.tanh(0.5 * depth), torch.exp(-depth.abs())),
            *(squared, xi**2 - zeta**2, torch.log(radius / hx), hx / radius, near, touching),
            *(torch.maximum(west_wall, east_wall), torch.maximum(floor, top), stiffness),
        ]
        odd_x = [xi, to_x * near, to_x * touching, west_wall - east_wall]
        odd_z = [zeta, to_z * near, to_z * touching, floor - top]
        odd_both = [xi * zeta, to_x * to_z * near]
        self.geometry = torch.stack([*even, *odd_x, *odd_z, *odd_both], dim=1)
        ones = torch.ones_like(xi)
        self.moments = torch.stack([ones, xi, zeta, xi**2 - zeta**2, xi * zeta, squared], dim=1)
        whole = self.rigidity.new_zeros(self.crystals).index_add(0, self.crystal, self.rigidity)
        self.share = self.rigidity / whole[self.crystal].clamp(min=1e-6)


def mirrored_order(mirror: int) -> tuple[list[int], list[int]]:
    """Order of neighbours of cells and of corners after a mirror."""
    same = _order(SAME, mirror, 0)
    first = len(SAME)
    cell = [first + k for k in _order(CORNERS_OF_CELL, mirror, 1)]
    corner = [first + k for k in _order(CELLS_OF_CORNER, mirror, -1)]
    return same + cell, same + corner


def _order(steps: tuple[tuple[int, int], ...], mirror: int, total: int) -> list[int]:
    """Where each step goes; a mirror takes a step to `total` less it."""
    return [
        steps.index((total - dz if mirror & ODD_Z else dz, total - dx if mirror & ODD_X else dx))
        for dz, dx in steps
    ]

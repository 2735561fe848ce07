"""The equations of several samples side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import DTypeLike, NDArray

from crystalsim.stokes.extra_stress import ExtraStressSystem

Array = NDArray[Any]


class Stack:
    """The equations of the extra stress of several samples, as one with a diagonal of blocks.

    On small grids an iteration spends most of its time on the way to NumPy and back, which a stack
    goes once. Only the isoviscous solves are done one by one, so that a sample's numbers do not
    depend on its company.

    Parameters
    ----------
    systems
        Equations of each sample, on one grid.
    dtype
        Floating-point type to iterate in.

    Attributes
    ----------
    compliance, right_hand_side
        Those of the samples one after the other.
    sizes
        How much of them belongs to each sample.
    work
        Work ``f' psi0`` of the isoviscous flow (sample).
    """

    def __init__(self, systems: Sequence[ExtraStressSystem], dtype: DTypeLike) -> None:
        self.systems = systems
        self.sizes = np.array([system.compliance.size for system in systems])
        self._starts = np.cumsum(self.sizes) - self.sizes
        self._filled = self.sizes > 0
        self._strain_rate = _diagonal([s.strain_rate for s in systems], dtype)
        self._curl = self._strain_rate.T
        self.compliance = np.concatenate([s.compliance for s in systems]).astype(dtype, copy=False)
        ends = np.cumsum([s.strain_rate.shape[1] for s in systems]).tolist()
        self._parts = [slice(a, b) for a, b in zip([0, *ends], ends, strict=False)]
        shape = systems[0].driving.shape
        self._whole = all(system.rows.size == shape[0] for system in systems)
        self._fields = (len(systems), *shape)
        self._solve = [system.solve_on_rows(dtype) for system in systems]
        driving = np.stack([s.driving for s in systems]).astype(dtype, copy=False)
        isoviscous = systems[0].operator.solve(driving)
        pairs = list(zip(systems, driving, isoviscous, strict=True))
        self.work = [float(np.vdot(force, psi)) for _, force, psi in pairs]
        on_rows = [system.on_rows(psi) for system, _, psi in pairs]
        self.right_hand_side: Array = self._strain_rate @ np.concatenate(on_rows)

    def apply(self, stress: Array, going: Sequence[bool]) -> Array:
        """Apply the operator for the samples that are going; for others the image is of no use."""
        psi = self._respond(self._curl @ stress, going)
        image = self._strain_rate @ psi
        image += self.compliance * stress
        return np.asarray(image)

    def _respond(self, curl: Array, going: Sequence[bool]) -> Array:
        """Isoviscous solves, in place where that is possible."""
        if self._whole:
            fields, operator = curl.reshape(self._fields), self.systems[0].operator
            if all(going):
                return operator.solve(fields, overwrite=True).ravel()
            chosen = np.flatnonzero(going)
            fields[chosen] = operator.solve(fields[chosen], overwrite=True)
            return curl
        for system, part, solve, goes in zip(
            self.systems, self._parts, self._solve, going, strict=True
        ):
            if goes and system.rows.size:
                curl[part] = solve(curl[part].reshape(system.rows.size, -1)).ravel()
        return curl

    def dot(self, one: Array, other: Array) -> list[float]:
        """Inner product for each sample."""
        products = one * other
        if not self._filled.all():
            # A sample without crystals has no place where its sum could start.
            sums = np.zeros(self.sizes.size)
            if products.size:
                sums[self._filled] = np.add.reduceat(products, self._starts[self._filled])
            return sums.tolist()
        return list(np.add.reduceat(products, self._starts).tolist())

    def spread(self, values: Sequence[float]) -> Any:
        """One value a sample, for each place of its vector."""
        in_precision = np.array(values, self.compliance.dtype)
        return in_precision[0] if len(values) == 1 else np.repeat(in_precision, self.sizes)

    def split(self, vector: Array) -> list[Array]:
        """Parts of the samples."""
        return np.split(vector, self._starts[1:])


def _diagonal(blocks: Sequence[scipy.sparse.csr_array], dtype: DTypeLike) -> scipy.sparse.csr_array:
    """Matrix with the blocks on its diagonal; `scipy.sparse.block_diag` takes ten times as long."""
    if len(blocks) == 1:
        return blocks[0].astype(dtype, copy=False)
    right = np.cumsum([0, *(block.shape[1] for block in blocks)])
    entries = np.cumsum([0, *(block.nnz for block in blocks)])
    data = np.concatenate([block.data for block in blocks]).astype(dtype, copy=False)
    columns = np.concatenate([b.indices + first for b, first in zip(blocks, right, strict=False)])
    starts = [b.indptr[:-1] + first for b, first in zip(blocks, entries, strict=False)]
    rows = sum(block.shape[0] for block in blocks)
    pointers = np.concatenate([*starts, entries[-1:]])
    return scipy.sparse.csr_array((data, columns, pointers), shape=(rows, right[-1]))

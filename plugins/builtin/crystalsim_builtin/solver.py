"""The built-in solver: one sample after another on a processor, batches on a GPU."""

from __future__ import annotations

import importlib.util
import itertools
import time
from collections.abc import Iterable, Iterator
from typing import NamedTuple, Self

import numpy as np
import xarray as xr

from crystalsim import Configured, Grid, crystal_motion, make_solutions
from crystalsim.datasets.scenes import scenes
from crystalsim.datasets.schema import VARIABLES
from crystalsim.errors import OptionError, UnsupportedError
from crystalsim.scene.case import Case
from crystalsim.scene.painting import Scene
from crystalsim.stokes.extra_stress import ExtraStressSystem
from crystalsim.stokes.operators import velocity

from . import conjugate_gradients
from .plugin import BuiltinOptions

FIELDS = (
    "crystal_fraction",
    "phase",
    "velocity_x",
    "velocity_z",
    "pressure",
    "stream_function",
)


STRESS = ("extra_stress_xx", "extra_stress_xz")


class Flow(NamedTuple):
    """Flow of one sample in SI units, and what it took."""

    stream_function: np.ndarray
    pressure: np.ndarray
    extra_stress: tuple[np.ndarray, np.ndarray] | None
    iterations: int
    residual: float
    wall_time: float


class BuiltinSolver(Configured[BuiltinOptions]):
    """Stokes flow on a staggered grid; all walls free-slip or at rest, or the sides periodic.

    The stream function on cell corners makes the velocity divergence-free to rounding. Crystals
    enter through exact area fractions and harmonic means of the viscosity, and act as an extra
    stress that conjugate gradients find with one isoviscous solve (two fast sine transforms) an
    iteration; see `crystalsim.stokes.extra_stress`. Crystals may be as much more
    viscous than the magma as one likes, rigid (infinite viscosity) or weaker; weak ones take more
    iterations, because the extra stress is then that of everything else.

    With the option `walls` the isoviscous solve takes care of other walls, exactly and without
    further iterations; see `crystalsim.stokes.walls` for the conditions. With periodic sides the
    net horizontal flux is zero, and crystals touch the seam at most: one that is cut by it can be
    given as `viscosity` and `density` on the grid.

    Parameters
    ----------
    options
        See ``crystalsim describe solver builtin``.
    """

    options_class = BuiltinOptions

    def solve(self, cases: xr.Dataset) -> xr.Dataset:
        """Solve all samples; see `crystalsim.contracts.Solver`.

        Raises
        ------
        UnsupportedError
            If batches are solved on a GPU, and walls are not free-slip.
        """
        return self._solve(cases, None)

    def solve_from(self, cases: xr.Dataset, initial: xr.Dataset) -> xr.Dataset:
        """Solve all samples from a known flow; see `crystalsim.contracts.WarmStart`.

        What helps is the extra stress of `initial` (of a solution with the option `extra_stress`,
        or of a model that predicts it): that of stiff crystals cannot be read off a velocity, so
        that without it the solver starts from nothing.

        Raises
        ------
        OptionError
            If `initial` is of other samples.
        UnsupportedError
            If batches are solved on a GPU.
        """
        return self._solve(cases, initial)

    def limited(self, *, iterations: int | None = None, tolerance: float | None = None) -> Self:
        """Give a solver that stops sooner or later; see `crystalsim.contracts.IterationBudget`."""
        wanted = {"maximum_iterations": iterations, "tolerance": tolerance}
        return self.with_options(**{k: value for k, value in wanted.items() if value is not None})

    def motion(self, cases: xr.Dataset) -> xr.Dataset:
        """Motion of the crystals, without pressure; see `crystalsim.contracts.Motion`."""
        if self._device() is not None:
            return crystal_motion(self.solve(cases))
        grid = Grid.from_dataset(cases)
        walls = self.options.walls
        painted = scenes(cases, grid, self.options.average, periodic=walls == "periodic_sides")
        flows = {
            name: np.zeros([cases.sizes[dim] for dim in VARIABLES[name].dims])
            for name in ("velocity_x", "velocity_z")
        }
        converged = np.zeros(cases.sizes["sample"], dtype=bool)
        results = self._results(painted, grid, itertools.repeat(None))
        for i, (_, _, system, result) in enumerate(results):
            converged[i] = result.residual <= self.options.tolerance
            psi = _stream_function(system, result)
            flows["velocity_x"][i], flows["velocity_z"][i] = velocity(psi, grid.hx, grid.hz)
        dims = {name: VARIABLES[name].dims for name in flows}
        moved = cases.assign({name: (dims[name], flows[name]) for name in flows})
        return crystal_motion(moved).assign(converged=("sample", converged))

    def _solve(self, cases: xr.Dataset, initial: xr.Dataset | None) -> xr.Dataset:
        grid = Grid.from_dataset(cases)
        samples = cases.sizes["sample"]
        fields = {
            name: np.zeros(
                [cases.sizes[dim] for dim in VARIABLES[name].dims],
                dtype=np.int16 if name == "phase" else self._dtype,
            )
            for name in (*FIELDS, *(STRESS if self.options.extra_stress else ()))
        }
        report: dict[str, np.ndarray] = {
            "residual": np.zeros(samples),
            "iterations": np.zeros(samples, dtype=np.int32),
            "wall_time": np.zeros(samples),
        }
        walls = self.options.walls
        device = self._device()
        if device and (initial is not None or self.options.extra_stress):
            raise UnsupportedError(
                "solver builtin: with device = 'cuda' there is no initial and no extra_stress"
            )
        painted = scenes(cases, grid, self.options.average, periodic=walls == "periodic_sides")
        flows = (
            self._one_by_one(painted, grid, self._starts(initial, cases))
            if device is None
            else self._batches(painted, grid, device)
        )
        for i, (scene, flow) in enumerate(flows):
            fields["crystal_fraction"][i], fields["phase"][i] = scene.fraction, scene.phase
            fields["stream_function"][i], fields["pressure"][i] = (
                flow.stream_function,
                flow.pressure,
            )
            if flow.extra_stress:
                for name, values in zip(STRESS, flow.extra_stress, strict=True):
                    fields[name][i] = values
            fields["velocity_x"][i], fields["velocity_z"][i] = velocity(
                flow.stream_function, grid.hx, grid.hz
            )
            for name in report:
                report[name][i] = getattr(flow, name)
        converged = report["residual"] <= self.options.tolerance
        source = f"crystalsim-builtin, {self.options.average} means of the viscosity"
        return make_solutions(
            cases,
            {**fields, **report, "converged": converged},
            attributes={"source": source, "walls": walls},
        )

    @property
    def _dtype(self) -> type[np.floating]:
        return np.float32 if self.options.precision == "single" else np.float64

    def _device(self) -> str | None:
        """Device for torch, or None for NumPy on the processor."""
        walls = self.options.walls
        if self.options.device == "cuda" and walls != "free_slip":
            raise UnsupportedError(
                f"option solver.walls = {walls!r}: solved on the processor only; "
                "expected solver.device = 'cpu' or 'auto'"
            )
        if self.options.device == "cpu" or walls != "free_slip":
            return None
        missing = "torch is not installed"
        if importlib.util.find_spec("torch"):
            import torch

            if torch.cuda.is_available():
                return "cuda"
            missing = "torch finds no GPU here"
        if self.options.device == "cuda":
            raise OptionError(f"option solver.device = 'cuda': {missing}")
        return None

    def _starts(
        self, initial: xr.Dataset | None, cases: xr.Dataset
    ) -> Iterator[tuple[np.ndarray, ...] | None]:
        """Extra stress and stream function to start each sample from, if any."""
        names = (*STRESS, "stream_function")
        if initial is None:
            return itertools.repeat(None)
        same = initial.sizes["sample"] == cases.sizes["sample"] and all(
            np.array_equal(initial[name], cases[name], equal_nan=True)
            for name in ("crystal_x", "crystal_z", "crystal_radius", "x", "z")
            if initial[name].shape == cases[name].shape or name in ("x", "z")
        )
        if not same:
            raise OptionError("initial: of other samples than the cases; expected the same ones")
        if any(name not in initial for name in names):
            return itertools.repeat(None)
        fields = [initial[name].values for name in names]
        return (tuple(f[i] for f in fields) for i in range(cases.sizes["sample"]))

    def _one_by_one(
        self,
        painted: Iterable[tuple[Case, Scene]],
        grid: Grid,
        starts: Iterator[tuple[np.ndarray, ...] | None],
    ) -> Iterator[tuple[Scene, Flow]]:
        start = time.perf_counter()
        for case, scene, system, result in self._results(painted, grid, starts):
            pressure = system.pressure(result.stream_function, result.extra_stress)
            stress = None
            if self.options.extra_stress:
                stress = _over_matrix(system, result, case.matrix_viscosity)
            start, before = time.perf_counter(), start
            yield (
                scene,
                Flow(
                    _stream_function(system, result),
                    pressure * system.scales.stress,
                    stress,
                    result.iterations,
                    result.residual,
                    start - before,
                ),
            )

    def _results(
        self,
        painted: Iterable[tuple[Case, Scene]],
        grid: Grid,
        starts: Iterator[tuple[np.ndarray, ...] | None],
    ) -> Iterator[tuple[Case, Scene, ExtraStressSystem, conjugate_gradients.Result]]:
        """Solve one sample after another."""
        for case, scene in painted:
            system = ExtraStressSystem(
                scene,
                grid,
                # The weakest medium as reference keeps the operator positive definite.
                reference_viscosity=min(scene.viscosity_cell.min(), scene.viscosity_corner.min()),
                gravity=case.gravity,
                dtype=self._dtype,
                walls=self.options.walls,
            )
            result = conjugate_gradients.solve(
                system,
                self.options.tolerance,
                self.options.maximum_iterations,
                _initial_stress(system, next(starts), case.matrix_viscosity),
            )
            yield case, scene, system, result

    def _batches(
        self, painted: Iterable[tuple[Case, Scene]], grid: Grid, device: str
    ) -> Iterator[tuple[Scene, Flow]]:
        import torch

        from .batched import solve_batch

        remaining = iter(painted)
        start = time.perf_counter()
        while batch := list(itertools.islice(remaining, self.options.batch)):
            found = solve_batch(
                [scene for _, scene in batch],
                [case.gravity for case, _ in batch],
                grid,
                tolerance=self.options.tolerance,
                maximum_iterations=self.options.maximum_iterations,
                device=device,
                dtype=torch.float32 if self.options.precision == "single" else torch.float64,
            )
            start, before = time.perf_counter(), start
            for i, (_, scene) in enumerate(batch):
                yield (
                    scene,
                    Flow(
                        found.stream_function[i],
                        found.pressure[i],
                        None,
                        int(found.iterations[i]),
                        float(found.residual[i]),
                        (start - before) / len(batch),
                    ),
                )


def _stream_function(system: ExtraStressSystem, result: conjugate_gradients.Result) -> np.ndarray:
    """Stream function on all corners [m2 s-1]."""
    psi = system.operator.extend(result.stream_function).astype(np.float64)
    return psi * (system.scales.velocity * system.scales.length)


def _over_matrix(
    system: ExtraStressSystem, result: conjugate_gradients.Result, matrix: float
) -> tuple[np.ndarray, np.ndarray]:
    """Stress beyond that of the magma at the same strain rate, on cells and all corners [Pa]."""
    normal, shear = system.scatter(result.extra_stress)
    if (difference := 1.0 - matrix / system.scales.viscosity) != 0:
        rates = system.operator.strain_rate(result.stream_function.astype(np.float64))
        normal, shear = normal + difference * rates[0], shear + difference * rates[1]
    stress = system.scales.stress
    return normal * stress, system.operator.shear_on_all(shear) * stress


def _initial_stress(
    system: ExtraStressSystem, initial: tuple[np.ndarray, ...] | None, matrix: float
) -> np.ndarray | None:
    """Undo `_over_matrix`, for the extra stress and stream function to start from."""
    if initial is None:
        return None
    units, operator = system.scales, system.operator
    normal, shear = initial[0] / units.stress, initial[1][operator.sheared] / units.stress
    if (difference := 1.0 - matrix / units.viscosity) != 0:
        psi = initial[2][operator.unknown] / (units.velocity * units.length)
        rates = operator.strain_rate(psi)
        normal, shear = normal - difference * rates[0], shear - difference * rates[1]
    return system.on_support(normal, shear)

"""The built-in solver: one sample after another on a processor, batches on a GPU."""

from __future__ import annotations

import importlib.util
import itertools
import logging
import time
from collections.abc import Iterator
from typing import NamedTuple, Self

import numpy as np
import xarray as xr

from crystalsim import Configured, Grid, make_solutions
from crystalsim.datasets.scenes import scenes
from crystalsim.datasets.schema import VARIABLES
from crystalsim.errors import OptionError, UnsupportedError
from crystalsim.scene.case import Case
from crystalsim.scene.painting import Scene
from crystalsim.stokes.crystal_motion import motion_dataset, motion_of_crystals
from crystalsim.stokes.extra_stress import ExtraStressSystem
from crystalsim.stokes.operators import velocity

from .limits import refuse_extremes
from .plugin import BuiltinOptions
from .strategy import Solved, solve_systems

logger = logging.getLogger(__name__)

FIELDS = (
    "crystal_fraction",
    "phase",
    "velocity_x",
    "velocity_z",
    "pressure",
    "stream_function",
)


STRESS = ("extra_stress_xx", "extra_stress_xz")

_STACKED_CORNERS = 2**16
"""Samples are solved together up to so many corners: 16 of 64 x 64 cells, one of 256 x 256."""

Start = tuple[np.ndarray, ...]
"""Extra stress on cells and corners and stream function to start a sample from."""


class Flow(NamedTuple):
    """Flow of one sample in SI units, and what it took."""

    stream_function: np.ndarray
    pressure: np.ndarray | None
    extra_stress: tuple[np.ndarray, np.ndarray] | None
    iterations: int
    error_estimate: float
    residual: float
    wall_time: float


class BuiltinSolver(Configured[BuiltinOptions]):
    """Stokes flow on a staggered grid; all walls free-slip or at rest, or the sides periodic.

    The stream function on cell corners makes the velocity divergence-free to rounding. Crystals
    enter through exact area fractions and means of the viscosity that know contrast and curvature
    (`crystalsim.scene.means`), and act as an extra
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
            If a sample over- or underflows; or if the option `device` is ``"cuda"``, and walls are
            not free-slip or the extra stress is asked for.
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
            If the option `device` is ``"cuda"``; see `solve` too.
        """
        return self._solve(cases, initial)

    def limited(self, *, iterations: int | None = None, tolerance: float | None = None) -> Self:
        """Give a solver that stops sooner or later; see `crystalsim.contracts.IterationBudget`."""
        wanted = {"maximum_iterations": iterations, "tolerance": tolerance}
        return self.with_options(**{k: value for k, value in wanted.items() if value is not None})

    def _solve(self, cases: xr.Dataset, initial: xr.Dataset | None) -> xr.Dataset:
        grid = Grid.from_dataset(cases)
        samples = cases.sizes["sample"]
        options = self.options
        fields = {
            name: np.empty(
                [cases.sizes[dim] for dim in VARIABLES[name].dims],
                dtype=np.int16 if name == "phase" else self._dtype,
            )
            for name in (*FIELDS, *(STRESS if options.extra_stress else ()))
        }
        report: dict[str, np.ndarray] = {
            "error_estimate": np.zeros(samples),
            "residual": np.zeros(samples),
            "iterations": np.zeros(samples, dtype=np.int32),
            "wall_time": np.zeros(samples),
        }
        flows = self._flows(cases, grid, initial)
        for i, (_, scene, flow) in enumerate(flows):
            fields["crystal_fraction"][i], fields["phase"][i] = scene.fraction, scene.phase
            fields["pressure"][i] = flow.pressure
            fields["stream_function"][i] = flow.stream_function
            if flow.extra_stress:
                for name, values in zip(STRESS, flow.extra_stress, strict=True):
                    fields[name][i] = values
            _write_velocity(
                flow.stream_function, grid, fields["velocity_x"][i], fields["velocity_z"][i]
            )
            for name in report:
                report[name][i] = getattr(flow, name)
        converged = report["error_estimate"] <= options.tolerance
        return make_solutions(
            cases,
            {**fields, **report, "converged": converged},
            attributes={
                "source": f"crystalsim-builtin, {options.average} means of the viscosity",
                "walls": options.walls,
                "viscosity_average": options.average,
            },
        )

    def motion(self, cases: xr.Dataset) -> xr.Dataset:
        """Velocity and spin of every crystal, without fields; see `crystalsim.contracts.Motion`.

        The same flow as that of `solve`, and the same numbers as `crystal_motion` of it (but for
        rounding), at a third of the time on small grids: without pressure, fields and checks of
        the cases, which are trusted.

        Parameters
        ----------
        cases
            Dataset of kind ``"cases"``.

        Returns
        -------
        xarray.Dataset
            As `crystalsim.crystal_motion` gives it, with `converged` on (sample).

        Raises
        ------
        UnsupportedError
            See `solve`.
        """
        grid = Grid.from_dataset(cases)
        motion = np.full((3, cases.sizes["sample"], cases.sizes["crystal"]), np.nan)
        converged = np.zeros(cases.sizes["sample"], dtype=bool)
        for i, (case, scene, flow) in enumerate(self._flows(cases, grid, only_motion=True)):
            converged[i] = flow.error_estimate <= self.options.tolerance
            velocities = velocity(flow.stream_function, grid.hx, grid.hz)
            motion[:, i, : case.x.size] = motion_of_crystals(case, scene.discs, grid, *velocities)
        return motion_dataset(cases, motion).assign(converged=("sample", converged))

    @property
    def _dtype(self) -> type[np.floating]:
        return np.float32 if self.options.precision == "single" else np.float64

    def _flows(
        self,
        cases: xr.Dataset,
        grid: Grid,
        initial: xr.Dataset | None = None,
        *,
        only_motion: bool = False,
    ) -> Iterator[tuple[Case, Scene, Flow]]:
        """Flows of all samples in order, on the device that the options ask for."""
        options = self.options
        plain = initial is None and not options.extra_stress and options.walls == "free_slip"
        device = self._device(plain)
        periodic = options.walls == "periodic_sides"
        painted = scenes(cases, grid, options.average, periodic=periodic)
        names = _sample_names(cases)
        if device is None:
            starts = self._starts(initial, cases)
            return self._one_by_one(painted, names, grid, starts, only_motion)
        return self._batches(painted, names, grid, device)

    def _device(self, plain: bool) -> str | None:
        """Device for torch, or None for NumPy on the processor.

        Parameters
        ----------
        plain
            Whether nothing is asked for that only the processor does.
        """
        options = self.options
        if options.device == "cpu" or (options.device == "auto" and not plain):
            return None
        if not plain:
            what = (
                f"option solver.walls = {options.walls!r}"
                if options.walls != "free_slip"
                else "an initial flow, or solver.extra_stress = true"
            )
            raise UnsupportedError(
                f"{what}: solved on the processor only; expected solver.device = 'cpu' or 'auto'"
            )
        missing = "torch is not installed"
        if importlib.util.find_spec("torch"):
            import torch

            if torch.cuda.is_available():
                return "cuda"
            missing = "torch finds no GPU here"
        if options.device == "cuda":
            raise OptionError(f"option solver.device = 'cuda': {missing}")
        return None

    def _starts(self, initial: xr.Dataset | None, cases: xr.Dataset) -> Iterator[Start | None]:
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
        painted: Iterator[tuple[Case, Scene]],
        names: list[object],
        grid: Grid,
        starts: Iterator[Start | None],
        only_motion: bool,
    ) -> Iterator[tuple[Case, Scene, Flow]]:
        options = self.options
        size = max(1, _STACKED_CORNERS // (grid.nx * grid.nz))
        remaining = iter(zip(names, painted, starts, strict=False))
        start = time.perf_counter()
        while stacked := list(itertools.islice(remaining, size)):
            systems, initial = [], []
            for name, (case, scene), given in stacked:
                system = self._system(case, scene, grid)
                refuse_extremes(case, system.scales, options.precision, name)
                systems.append(system)
                initial.append(_initial_stress(system, given, case.matrix_viscosity))
            solutions = solve_systems(
                systems, options.tolerance, options.maximum_iterations, initial
            )
            flows = []
            for (name, (case, scene), _), system, solved in zip(
                stacked, systems, solutions, strict=True
            ):
                self._tell(name, solved)
                flow = self._flow(case, system, solved, only_motion)
                flows.append((case, scene, flow))
            start, before = time.perf_counter(), start
            for case, scene, flow in flows:
                yield case, scene, flow._replace(wall_time=(start - before) / len(flows))

    def _system(self, case: Case, scene: Scene, grid: Grid) -> ExtraStressSystem:
        # The weakest medium as reference keeps the operator positive definite.
        weakest = min(scene.viscosity_cell.min(), scene.viscosity_corner.min())
        return ExtraStressSystem(
            scene,
            grid,
            reference_viscosity=float(weakest),
            gravity=case.gravity,
            dtype=self._dtype,
            walls=self.options.walls,
        )

    def _flow(
        self, case: Case, system: ExtraStressSystem, solved: Solved, only_motion: bool
    ) -> Flow:
        units = system.scales
        psi = system.operator.extend(solved.stream_function).astype(np.float64, copy=False)
        psi *= units.velocity * units.length
        pressure = stress = None
        if not only_motion:
            pressure = system.pressure(solved.stream_function, solved.extra_stress)
            pressure *= units.stress
            if self.options.extra_stress:
                stress = _over_matrix(system, solved, case.matrix_viscosity)
        report = solved.iterations, solved.error, solved.residual, 0.0
        return Flow(psi, pressure, stress, *report)

    def _tell(self, sample: object, solved: Solved) -> None:
        """Warn where rounding keeps the flow from the tolerance; a sample is not lost by it."""
        options = self.options
        if solved.error > options.tolerance and solved.iterations < options.maximum_iterations:
            advice = "" if options.precision == "double" else "; expected precision = 'double'"
            logger.warning(
                "sample %s: %s precision reaches an error of %.1e, not the tolerance of %.1e%s",
                sample,
                options.precision,
                solved.error,
                options.tolerance,
                advice,
            )

    def _batches(
        self,
        painted: Iterator[tuple[Case, Scene]],
        names: list[object],
        grid: Grid,
        device: str,
    ) -> Iterator[tuple[Case, Scene, Flow]]:
        import torch

        from .batched import solve_batch

        remaining = iter(zip(names, painted, strict=True))
        start = time.perf_counter()
        while batch := list(itertools.islice(remaining, self.options.batch)):
            result = solve_batch(
                [scene for _, (_, scene) in batch],
                [case.gravity for _, (case, _) in batch],
                grid,
                tolerance=self.options.tolerance,
                maximum_iterations=self.options.maximum_iterations,
                device=device,
                dtype=torch.float32 if self.options.precision == "single" else torch.float64,
            )
            start, before = time.perf_counter(), start
            for i, (name, (case, scene)) in enumerate(batch):
                refuse_extremes(case, result.scales[i], self.options.precision, name)
                yield (
                    case,
                    scene,
                    Flow(
                        result.stream_function[i],
                        result.pressure[i],
                        None,
                        int(result.iterations[i]),
                        float(result.error[i]),
                        float(result.residual[i]),
                        (start - before) / len(batch),
                    ),
                )


def _write_velocity(psi: np.ndarray, grid: Grid, along_x: np.ndarray, along_z: np.ndarray) -> None:
    """`operators.velocity` without arrays in between."""
    np.subtract(psi[1:], psi[:-1], out=along_x, casting="same_kind")
    np.subtract(psi[:, :-1], psi[:, 1:], out=along_z, casting="same_kind")
    along_x /= grid.hz
    along_z /= grid.hx


def _sample_names(cases: xr.Dataset) -> list[object]:
    if "sample" in cases.coords:
        return list(cases["sample"].values.tolist())
    return list(range(cases.sizes["sample"]))


def _over_matrix(
    system: ExtraStressSystem, solved: Solved, matrix: float
) -> tuple[np.ndarray, np.ndarray]:
    """Stress beyond that of the magma at the same strain rate, on cells and all corners [Pa]."""
    normal, shear = system.scatter(solved.extra_stress)
    if (difference := 1.0 - matrix / system.scales.viscosity) != 0:
        rates = system.operator.strain_rate(solved.stream_function.astype(np.float64))
        normal, shear = normal + difference * rates[0], shear + difference * rates[1]
    stress = system.scales.stress
    return normal * stress, system.operator.shear_on_all(shear) * stress


def _initial_stress(
    system: ExtraStressSystem, initial: Start | None, matrix: float
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

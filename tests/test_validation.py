"""Checks of solvers: a good one passes, and each kind of wrong one is found out where it should."""

import csv

import numpy as np
import pytest

import crystalsim
from crystalsim import Grid, validation
from crystalsim.datasets.scenes import scenes
from crystalsim.errors import (
    OptionError,
    SchemaError,
    UnsupportedError,
)
from crystalsim.plotting.convergence import plot_convergence
from crystalsim.validation import (
    CHECKS,
    Result,
    laws,
    table_text,
    validate_solver,
)

CELLS = (64, 128)


class Wrong:
    """A good solver whose solutions are changed."""

    def __init__(self, change, **options):
        self.change, self.good = (
            change,
            crystalsim.get("solver", "builtin", tolerance=1e-3, **options),
        )

    def solve(self, cases):
        return self.change(self.good.solve(cases).load())


def change(solutions, **functions):
    """Replace fields by functions of their arrays."""
    return solutions.assign(
        {
            n: (solutions[n].dims, f(solutions[n].values), solutions[n].attrs)
            for n, f in functions.items()
        }
    )


def faster(solutions):
    return change(solutions, velocity_x=lambda v: 1.05 * v, velocity_z=lambda v: 1.05 * v)


def reversed_sign(solutions):
    return change(solutions, velocity_x=np.negative, velocity_z=np.negative)


def upside_down_pressure(solutions):
    return change(solutions, pressure=np.negative)


def mirrored(solutions):
    """Mirrored in x without turning `velocity_x` round."""
    return change(solutions, velocity_x=lambda v: v[..., ::-1], velocity_z=lambda v: v[..., ::-1])


def lopsided(solutions):
    """Faster on the right than on the left."""
    growth = 1 + 0.05 * np.linspace(-1, 1, solutions.sizes["x"])
    return change(solutions, velocity_z=lambda v: growth * v)


def sublinear(solutions):
    """The flow grows with the driving to the power of 0.9."""
    typical = 1e-13
    fields = ("velocity_x", "velocity_z")
    size = abs(solutions["velocity_z"].values).max(axis=(1, 2), keepdims=True) / typical
    return change(solutions, **dict.fromkeys(fields, lambda v: v * size**-0.1))


def leaking(solutions):
    """The same flow in a wind through the side walls."""
    return change(solutions, velocity_x=lambda v: v + 1e-3 * abs(v).max())


def noisy(solutions):
    random = np.random.default_rng(0)

    def shaken(v):
        v = v.copy()
        v[..., 1:-1, :] += 1e-4 * abs(v).max() * random.standard_normal(v[..., 1:-1, :].shape)
        return v

    return change(solutions, velocity_z=shaken)


BALANCES = {"force balance", "energy balance"}
ACCURACY = {"isoviscous discs", "viscous inclusion", "viscosity jump", "finite elements"}
"""Checks that look at the velocity on all grids."""


def failing(results):
    return {result.name for result in results if not result.passed}


@pytest.fixture(scope="module")
def good():
    # Tight enough for the orders of the discretisation.
    return validate_solver(crystalsim.get("solver", "builtin", tolerance=1e-3), (32, 64, 128))


def test_the_builtin_solver_passes(good):
    assert failing(good) == set()
    assert [result.name for result in good] == [*CHECKS, "random scenes"]
    by_name = {result.name: result for result in good}
    assert [r.name for r in good if r.skipped] == ["disc between plates", "random scenes"]
    for name in ("isoviscous discs", "viscous inclusion", "viscosity jump"):
        assert min(by_name[name].orders) > 1.9
    # As plugins/builtin/README.md has it.
    elements = by_name["finite elements"]
    assert elements.errors[1:] == pytest.approx((0.0085, 0.00227), rel=0.03)
    assert elements.parts["a"][1] == pytest.approx(0.0029, rel=0.03)
    assert elements.errors == tuple(np.max(list(elements.parts.values()), axis=0))
    # Exact in the discrete equations, whatever the iterations leave.
    assert by_name["force balance"].errors[0] < 1e-10


def test_the_direct_solver_passes():
    pytest.importorskip("crystalsim_direct")
    results = validate_solver(crystalsim.get("solver", "direct"), (16, 32))
    assert failing(results) == set()
    energy = next(result for result in results if result.name == "energy balance")
    assert energy.errors[0] < 1e-9


def test_other_means_of_the_viscosity_are_found_out(good):
    results = validate_solver(crystalsim.get("solver", "builtin", average="arithmetic"), CELLS)
    assert failing(results) == {"viscous inclusion", "finite elements", "single discs"}
    elements = next(result for result in results if result.name == "finite elements")
    assert 0.08 < elements.parts["a"][0] < 0.2


@pytest.mark.parametrize(
    ("wrong", "found_by"),
    [
        (faster, ACCURACY | BALANCES | {"single discs"}),
        (reversed_sign, ACCURACY | BALANCES | {"single discs"}),
        (upside_down_pressure, {"force balance"}),
        (mirrored, ACCURACY | BALANCES | {"divergence", "single discs"}),
        (lopsided, ACCURACY | {"force balance", "divergence", "mirror symmetry"}),
        (sublinear, ACCURACY | BALANCES | {"superposition", "single discs"}),
        (
            leaking,
            {
                "isoviscous discs",
                "viscosity jump",
                "mirror symmetry",
                "superposition",
                "impermeability",
            },
        ),
        (noisy, {"divergence", "isoviscous discs"}),
    ],
)
def test_each_check_notices_what_it_should(wrong, found_by):
    assert failing(validate_solver(Wrong(wrong), CELLS)) == found_by


@pytest.mark.parametrize("cells", [8, 9, 11, 16, 50])
def test_the_cut_and_the_walls_lie_in_the_magma(cells):
    """The statement of `force_balance` asks for it, and for the whole weight."""
    cases = laws.law_cases(cells, [laws.SINKING, laws.RISING])
    solutions = crystalsim.get("solver", "builtin").solve(cases)
    grid = Grid.from_dataset(solutions)
    (_, scene), *_ = scenes(solutions, grid)
    cut = laws.cut_column(grid)
    assert (scene.viscosity_corner[:, cut] == laws.MATRIX_VISCOSITY).all()
    assert (scene.viscosity_cell[[0, -1]] == laws.MATRIX_VISCOSITY).all()
    left = 9.81 * grid.hx * grid.hz * scene.density_face[:, :cut].sum()
    assert left == pytest.approx(9.81 * np.pi * 150**2 * 200, rel=1e-9)
    assert laws.carried(solutions, cut) == pytest.approx(left, rel=1e-9)


def test_without_pressure_the_force_balance_is_skipped():
    result = validation.force_balance(Wrong(lambda s: s.drop_vars("pressure")), 16)
    assert result.passed and "no pressure" in result.skipped
    assert "skipped: the solutions have no pressure" in table_text([result])


class Broken:
    def solve(self, cases):
        raise RuntimeError("singular\n  matrix")


def test_a_solver_that_raises_fails_each_check_with_one_line():
    results = validate_solver(Broken(), (16,))
    assert failing(results) == set(CHECKS)
    lines = table_text(results).splitlines()
    assert len(lines) == 3 + len(CHECKS)
    assert all("FAILED: RuntimeError: singular matrix" in line for line in lines[2:-1])
    assert "skipped: no exact solver" in lines[-1]


def test_what_a_solver_does_not_offer_is_skipped():
    class CrystalsAlone(Wrong):
        def solve(self, cases):
            if "viscosity" in cases:
                raise UnsupportedError("takes crystals, not variable 'viscosity'")
            return super().solve(cases)

    results = validate_solver(CrystalsAlone(lambda solutions: solutions), CELLS)
    assert failing(results) == set()
    skipped = [r.name for r in results if r.skipped]
    assert skipped == ["viscosity jump", "disc between plates", "random scenes"]
    assert "skipped: takes crystals" in table_text(results)


def test_solutions_that_break_the_contract_fail():
    def lost(solutions):
        return solutions.assign(converged=("sample", np.zeros(solutions.sizes["sample"], bool)))

    for wrong, text in (
        (lost, "1 of 1 samples on 16 x 16 cells did not converge"),
        (lambda s: s.drop_vars("velocity_x"), "variable 'velocity_x'"),
        (lambda s: s.isel(sample=[]), "1 samples were asked for, 0 came back"),
        (lambda s: change(s, velocity_z=lambda v: v * np.nan), ""),
    ):
        results = validate_solver(Wrong(wrong), (16,))
        assert failing(results) >= set(CHECKS) - {"disc between plates"}
        assert text in results[0].failure


def test_no_flow_at_all_is_no_success():
    still = Wrong(lambda s: change(s, velocity_x=np.zeros_like, velocity_z=np.zeros_like))
    assert failing(validate_solver(still, (16,))) == set(CHECKS) - {"disc between plates"}


def test_convergence_that_is_too_slow_fails():
    flat = Result("x", (32, 64, 128), (1e-3, 5e-4, 2.5e-4), (1.0, 1.0, 1.0), minimum_order=1.7)
    assert flat.orders == pytest.approx((1.0, 1.0))
    assert not flat.passed
    assert "FAILED: expected an order of 1.7" in table_text([flat])
    near = Result("x", (64, 65), (1e-3, 1.1e-3), (1.0, 1.0), minimum_order=1.7)
    assert near.passed  # too near for an order


@pytest.mark.parametrize("cells", [(), (4, 64)])
def test_grids_that_are_too_coarse_are_refused(cells):
    with pytest.raises(OptionError, match="8 at least"):
        validate_solver(Broken(), cells)


def test_figure_shows_the_errors(good):
    figure = plot_convergence({"builtin": good})
    drawn = [result for result in good if len(result.errors) > 1]
    assert len(figure.axes) == len(drawn) == 5
    for axes, result in zip(figure.axes, drawn, strict=True):
        lines = {line.get_label(): line for line in axes.lines}
        assert np.allclose(lines["builtin"].get_ydata(), 100 * np.array(result.errors))
        assert np.allclose(lines["bound"].get_ydata(), 100 * np.array(result.bounds))
    both = plot_convergence({"one": good, "other": good})
    assert {"one", "other"} <= {line.get_label() for line in both.axes[0].lines}


def test_figure_needs_two_grids():
    with pytest.raises(SchemaError, match="two grids"):
        plot_convergence({"broken": validate_solver(Broken(), (16,))})


def test_command(command, figures, tmp_path):
    output = tmp_path / "made" / "here"
    done = command("validate", "builtin", "--cells", 64, "--cells", 32, "--output", output)
    assert done.status == 0, done.err
    assert "FAILED" not in done.out
    rows = list(csv.DictReader((output / "table.csv").open()))
    assert {row["check"] for row in rows} == {*CHECKS, "random scenes"}
    case = [r for r in rows if r["check"] == "finite elements" and r["cells"] == "64"]
    case.sort(key=lambda row: -float(row["error"]))
    assert float(case[0]["error"]) == pytest.approx(0.0093, rel=0.02)
    drawn = {axes.get_title(loc="left"): axes for axes in figures["convergence.png"].axes}
    assert len(drawn) == len({row["check"] for row in rows if row["cells"] == "64"})
    errors = [
        line.get_ydata()[-1]
        for axes in drawn.values()
        for line in axes.lines
        if line.get_label() == "builtin"
    ]
    assert 100 * float(case[0]["error"]) in [pytest.approx(error) for error in errors]


def test_command_fails_with_a_bad_mean_and_makes_a_table_of_one_grid(command, tmp_path):
    average = ("-o", "solver.average=arithmetic")
    done = command("validate", "builtin", *average, "--cells", 64, "--output", tmp_path)
    assert done.status == 1
    assert "FAILED" in done.out and "Traceback" not in done.err
    assert (tmp_path / "table.csv").exists() and "no figure" in done.out


def test_command_varies_an_option(command, figures, tmp_path):
    vary = ("--vary", "average=curvature,arithmetic")
    done = command("validate", "builtin", *vary, "--cells", 32, "--cells", 64, "--output", tmp_path)
    assert done.status == 1  # arithmetic means do not pass
    assert "builtin, average=arithmetic" in done.out
    rows = list(csv.DictReader((tmp_path / "table.csv").open()))
    failed = {row["solver"] for row in rows if row["passed"] == "false"}
    assert failed == {"average=arithmetic"}
    assert {row["solver"] for row in rows} == {"average=curvature", "average=arithmetic"}
    lines = figures["convergence.png"].axes[0].lines
    assert {"average=curvature", "average=arithmetic"} <= {line.get_label() for line in lines}


@pytest.mark.parametrize(
    "arguments",
    [
        ("builtin", "--vary", "average"),
        ("builtin", "--vary", "average=,"),
        ("bulitin",),
        ("builtin", "-o", "solver.averge=point"),
        ("builtin", "--cells", 4),
    ],
)
def test_mistakes_are_told_in_one_line(command, arguments):
    done = command("validate", *arguments)
    assert done.status == 2
    assert "Traceback" not in done.err

"""Random scenes against an exact solver, and closed forms from the literature."""

import csv

import numpy as np
import pytest

import crystalsim
from crystalsim import Grid, validation
from crystalsim.errors import CrystalsimError, OptionError, PlacementError, UnsupportedError
from crystalsim.stokes.crystal_motion import crystal_motion
from crystalsim.validation import RandomScenes, random_scenes

CELLS = (64, 128)


class FineGrid:
    """Motion that a fine grid gives, in place of an exact solver."""

    def motion(self, cases):
        assert cases["crystal_count"].values.tolist() == [1, 2, 4, 6, 8, 10]
        solutions = crystalsim.get("solver", "builtin").solve(RandomScenes().cases(256))
        return crystal_motion(solutions).assign(converged=solutions["converged"])


class TooFast:
    """A good solver whose velocities are 20 % too large."""

    def __init__(self, **options):
        self.good = crystalsim.get("solver", "builtin", **options)

    def solve(self, cases):
        solutions = self.good.solve(cases)
        for name in ("velocity_x", "velocity_z"):
            solutions[name].values *= 1.2
        return solutions


def test_the_builtin_solver_passes_in_random_scenes():
    result = random_scenes(crystalsim.get("solver", "builtin"), (32, 64), FineGrid())
    assert result.passed
    assert 0.005 < result.errors[1] < result.errors[0]
    assert list(result.parts) == [f"scene {i}" for i in range(6)]
    assert result.errors == tuple(np.max(list(result.parts.values()), axis=0))


def test_random_scenes_are_what_was_asked_for():
    scenes = RandomScenes(count=3, crystals=5, contrast=0.1, gap=30.0, seed=4)
    cases = scenes.cases(32)
    assert cases["crystal_count"].values.tolist() == [5, 5, 5]
    x, z, radius = (cases[f"crystal_{name}"].values for name in ("x", "z", "radius"))
    gap = np.hypot(x[:, :, None] - x[:, None], z[:, :, None] - z[:, None])
    gap -= radius[:, :, None] + radius[:, None]
    assert gap[:, ~np.eye(5, dtype=bool)].min() >= 30.0
    assert (1000.0 - np.maximum(abs(x), abs(z)) - radius).min() >= 30.0
    assert radius.min() >= 60.0 and radius.max() <= 120.0
    assert np.allclose(cases["crystal_viscosity"].values, 1e19)
    finer = scenes.cases(64)
    assert np.array_equal(finer["crystal_x"].values, x)
    assert not np.array_equal(
        RandomScenes(3, 5, 0.1, 30.0, seed=5).cases(32)["crystal_x"].values, x
    )


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"count": 0}, "scenes = 0"),
        ({"crystals": 0}, "crystals = 0"),
        ({"contrast": -1.0}, "contrast = -1"),
        ({"contrast": float("nan")}, "contrast = nan"),
        ({"gap": 0.0}, "gap = 0"),
        ({"gap": float("inf")}, "gap = inf"),
        ({"gap": 880.0}, "gap = 880: expected metres between 0 and 880"),
    ],
)
def test_impossible_random_scenes_are_refused(options, text):
    with pytest.raises(OptionError, match=text):
        RandomScenes(**options)


def test_crystals_without_a_place_are_told():
    with pytest.raises(PlacementError, match="finds no place with gap = 60 m"):
        RandomScenes(crystals=300).cases(16)


def test_random_scenes_need_an_exact_solver_that_converged():
    class Unsure(FineGrid):
        def motion(self, cases):
            motion = super().motion(cases)
            return motion.assign(converged=~motion["converged"])

    solver = crystalsim.get("solver", "builtin")
    with pytest.raises(CrystalsimError, match="did not converge in all"):
        random_scenes(solver, (16,), Unsure())
    with pytest.raises(UnsupportedError, match="expected an exact solver"):
        random_scenes(solver, (16,), object())


def test_random_scenes_find_out_a_wrong_solver():
    assert not random_scenes(TooFast(), CELLS, FineGrid()).passed


def test_closed_forms_agree_where_they_overlap():
    # Two walls hinder more than one of them.
    assert validation.beside_wall(0.05, 0.5)[0] < validation.between_plates(0.05, 1.0)
    # Towards a wall it is harder than along it, and far from it both are alike but for a constant.
    parallel, normal = validation.beside_wall(1.0, 100.0)
    assert normal > parallel
    assert 4 * np.pi / normal == pytest.approx(4 * np.pi / parallel - 1.0, rel=1e-4)
    # A narrow row is a channel whose mobility falls by 1/2 for each factor e in size.
    assert 8 * np.pi / validation.row_of_discs(1e-4, 1.0) - 8 * np.pi / validation.row_of_discs(
        np.e * 1e-4, 1.0
    ) == pytest.approx(2.0, rel=1e-4)
    assert validation.centred_disc(1e-3, 1.0, 0.0) - validation.centred_disc(
        1e-3, 1.0
    ) == pytest.approx(0.5, rel=1e-4)


def test_a_disc_between_plates_needs_walls_at_rest():
    solver = crystalsim.get("solver", "builtin", walls="no_slip", tolerance=1e-3)
    result = validation.disc_between_plates(solver, CELLS)
    assert result.passed and result.errors[1] < 1e-3
    assert not validation.disc_between_plates(TooFast(walls="no_slip"), CELLS).passed


@pytest.mark.slow
@pytest.mark.parametrize(("normal", "bound"), [(False, 0.02), (True, 0.015)])
def test_a_disc_beside_a_wall_at_rest(normal, bound):
    """Jeffrey & Onishi; the far walls of the box, twenty distances away, slow it down by 1 %."""
    radius, distance, side = 30.0, 50.0, 2000.0
    x, z = (0.5 * side, distance) if normal else (distance, 0.5 * side)
    disc = {"x": x, "z": z, "radius": radius, "density": 2900.0, "viscosity": 1e26}
    cases = crystalsim.make_cases([[disc]], Grid(512, 512, 0.0, side, 0.0, side))
    motion = crystal_motion(crystalsim.get("solver", "builtin", walls="no_slip").solve(cases))
    resistance = validation.beside_wall(radius, distance)[normal]
    weight = 200.0 * 9.81 * np.pi * radius**2
    exact = -weight / (1e20 * resistance)
    assert float(motion["crystal_velocity_z"][0, 0]) == pytest.approx(exact, rel=bound)


def test_command_measures_in_random_scenes(command, tmp_path):
    pytest.importorskip("crystalsim_multipole")
    options = ("--scenes", 2, "--crystals", 3, "--gap", 40, "--contrast", "inf", "--seed", 3)
    done = command("validate", "builtin", "--cells", 32, *options, "--output", tmp_path)
    assert done.status == 0, done.err
    rows = [r for r in csv.DictReader((tmp_path / "table.csv").open()) if "random" in r["check"]]
    assert [row["part"] for row in rows] == ["", "scene 0", "scene 1"]
    assert 0 < float(rows[0]["error"]) < 0.26


def test_command_takes_no_truth_that_is_not_there(command):
    done = command("validate", "builtin", "--cells", 16, "--truth", "nowhere")
    assert done.status == 2
    assert "unknown solver 'nowhere'" in done.err


def test_without_the_default_truth_random_scenes_are_skipped(command, monkeypatch):
    monkeypatch.setattr("crystalsim.cli.validate.EXACT_SOLVER", "not_installed")
    done = command("validate", "builtin", "--cells", 16)
    assert done.status == 0, done.err
    assert "skipped: no exact solver to compare with" in done.out

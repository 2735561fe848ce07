"""Figures of what is behind an error, and the command that draws from files."""

import numpy as np
import pytest

import crystalsim
from crystalsim import Grid, make_cases, plotting
from crystalsim.errors import SchemaError
from crystalsim_analysis.figures import plot_cost, plot_interaction, plot_spectrum, plot_strata

GRID = Grid(24, 24, -1000, 1000, -1000, 1000)


@pytest.fixture(scope="module")
def flows():
    cases = crystalsim.get("sampler", "random", cells=24, radius=(90.0, 200.0), count=(1, 3))
    solutions = crystalsim.get("solver", "builtin").solve(cases.sample(12, seed=1))
    names = ("isoviscous", "dilute")
    return solutions, {name: crystalsim.get("model", name).predict(solutions) for name in names}


def scores(flows, evaluator):
    reference, predictions = flows
    made = crystalsim.get("evaluator", evaluator)
    return {name: made.evaluate(reference, each) for name, each in predictions.items()}


def test_strata_join_the_means_of_classes(flows):
    found = scores(flows, "strata")
    figure = plot_strata(found)
    # Viscosity contrasts are all the same here: radius, gap, wall distance, density contrast.
    assert len(figure.axes) == 4
    drawn = figure.axes[0].lines[0].get_ydata()
    errors = found["isoviscous"]["local_error"].values
    assert len(drawn) == 6
    assert np.mean(drawn) == pytest.approx(100 * np.nanmean(errors), rel=0.1)


def test_spectrum_shows_the_root_mean_square(flows):
    found = scores(flows, "spectrum")
    axes = plot_spectrum(found).axes[0]
    expected = np.sqrt((found["dilute"]["spectral_error"].values ** 2).mean(axis=0))
    np.testing.assert_allclose(axes.lines[1].get_ydata(), 100 * expected)


def test_interaction_over_the_true_one(flows):
    found = scores(flows, "interaction")
    figure = plot_interaction(found)
    points = figure.axes[0].collections[0].get_offsets()
    np.testing.assert_allclose(
        points[:, 1].data, found["isoviscous"]["interaction_prediction"].values.ravel()
    )


def test_cost_is_drawn_beside_the_solver(flows):
    found = scores(flows, "cost")
    axes = plot_cost(found).axes[0]
    expected = 100 * np.nanmean(found["isoviscous"]["early_stopped_error"], axis=0)
    # Where the solver is the reference itself there is nothing to draw.
    expected[expected == 0] = np.nan
    np.testing.assert_allclose(axes.lines[0].get_ydata(), expected)
    assert expected[0] > 10 * np.nanmin(expected)  # more iterations, smaller errors
    models = {each.get_label(): each.lines[0] for each in axes.containers}
    for name, line in models.items():
        error = 100 * float(scores(flows, "fields")[name]["relative_l2"].mean())
        assert float(line.get_ydata()[0]) == pytest.approx(error)
    assert set(models) == set(found)


def test_pressure_is_drawn_where_there_is_one(flows):
    reference, predictions = flows
    # The model isoviscous has a pressure, superposition has none.
    beside = plotting.plot_sample(reference, predictions["isoviscous"], 1)
    assert any("p [" in axes.get_ylabel() for axes in beside.axes)
    without = plotting.plot_sample(
        reference, predictions["isoviscous"].drop_vars("pressure", errors="ignore"), 1
    )
    assert not any("p [" in axes.get_ylabel() for axes in without.axes)


def test_extrema_are_marked(flows):
    case = make_cases(
        [[{"x": 0.0, "z": 0.0, "radius": 200.0, "density": 2900.0, "viscosity": 1e24}]], GRID
    )
    solution = crystalsim.get("solver", "builtin").solve(case)
    figure = plotting.plot_sample(solution)
    (stars,) = [line for axes in figure.axes for line in axes.lines if line.get_marker() == "*"]
    (x,), (z,) = stars.get_data()
    assert np.hypot(x, z) < 0.21  # km: within the crystal


def test_scores_that_are_missing_are_named(flows):
    with pytest.raises(SchemaError, match=r"scores of 'dilute'.*spectral_error"):
        plot_spectrum({"dilute": scores(flows, "strata")["dilute"]})


def test_command(command, figures, flows, tmp_path):
    reference, predictions = flows
    crystalsim.save(reference, tmp_path / "truth.nc")
    crystalsim.save(predictions["dilute"], tmp_path / "dilute.nc")
    found = scores(flows, "strata")["dilute"]
    crystalsim.save(found, tmp_path / "strata.nc")
    crystalsim.save(scores(flows, "fields")["dilute"], tmp_path / "fields.nc")
    for k, arguments in enumerate(
        (
            ("truth.nc", "--sample", "3"),
            ("truth.nc", "dilute.nc"),
            ("strata.nc",),
            ("fields.nc", "--metric", "relative_l2_speed"),
        )
    ):
        path = tmp_path / f"{k}.png"
        files = [tmp_path / a if a.endswith(".nc") else a for a in arguments]
        done = command("plot", *files, "--output", path)
        assert done.status == 0, done.err
    reference_only, beside, strata, by_count = (figures[f"{k}.png"] for k in range(4))
    drawn = {axes.get_title(): axes for axes in reference_only.axes}
    field = drawn["vertical velocity"].collections[0].get_array().ravel()
    truth = reference["velocity_z"].values[3].ravel()
    assert np.corrcoef(field, truth)[0, 1] == pytest.approx(1)
    assert {"truth", "dilute", "error"} <= {axes.get_title() for axes in beside.axes}
    assert len(strata.axes) == 4
    error = scores(flows, "fields")["dilute"]["relative_l2_speed"]
    means = error.groupby(reference["crystal_count"]).mean()
    np.testing.assert_allclose(by_count.axes[0].lines[0].get_ydata(), 100 * means)
    wrong = command("plot", tmp_path / "truth.nc", "--sample", "99", "--output", tmp_path / "a.png")
    assert wrong.status == 2
    assert "--sample 99" in wrong.err
    assert "numbered 0 to 11" in wrong.err

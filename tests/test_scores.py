"""Summaries of scores: intervals that cover, worst samples by number."""

import numpy as np
import pytest
import xarray as xr

from crystalsim.datasets.schema import validate
from crystalsim.errors import SchemaError
from crystalsim.evaluation.scores import make_scores
from crystalsim.evaluation.summaries import confidence_interval, summarise
from crystalsim.metrics import Metric
from crystalsim.testing import example_solutions

SOME = {"some_error": Metric("some error", "1", "made up", "low")}


def test_the_worst_sample_is_named_by_its_number():
    reference = example_solutions()  # numbered from 10
    found = summarise(make_scores(reference, {"some_error": [0.1, 0.4, np.nan, 0.2]}, SOME))
    assert found["some_error"]["worst"] == 0.4
    assert found["some_error"]["worst_sample"] == 11
    rate = {"some_rate": Metric("some rate", "1", "made up", "high")}
    found = summarise(make_scores(reference, {"some_rate": [0.1, 0.4, np.nan, 0.2]}, rate))
    assert (found["some_rate"]["worst"], found["some_rate"]["worst_sample"]) == (0.1, 10)


def test_the_interval_covers_the_mean_as_often_as_it_says():
    rng = np.random.default_rng(3)
    covered = 0
    for _ in range(200):
        low, high = confidence_interval(rng.exponential(size=60))
        covered += low <= 1.0 <= high
    # The percentile bootstrap of a skewed distribution covers a little less than 95 %.
    assert 0.88 <= covered / 200 <= 0.99


def test_crystals_of_a_sample_are_drawn_together():
    """Ten equal crystals in a sample tell no more than one."""
    rng = np.random.default_rng(4)
    samples = rng.normal(size=40)
    one = confidence_interval(samples)
    ten = confidence_interval(np.repeat(samples[:, None], 10, axis=1))
    np.testing.assert_allclose(one, ten, rtol=1e-12)
    assert np.isnan(confidence_interval([np.nan, np.nan])).all()


def test_scores_along_another_coordinate():
    reference = example_solutions()
    along = xr.DataArray([1.0, 2.0], dims="wave_number", attrs={"units": "m-1"})
    scores = make_scores(reference, {"some_error": np.ones((4, 2))}, SOME, along=along)
    assert scores["some_error"].dims == ("sample", "wave_number")
    assert summarise(scores) == {}
    with pytest.raises(SchemaError, match="second dimension with a coordinate"):
        validate(scores.drop_vars("wave_number"), "scores")

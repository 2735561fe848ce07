"""The suite for evaluators."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import xarray as xr

from ..contracts import DrawsFigures, Evaluator, PreparesReference
from ..datasets.schema import validate
from ..errors import SchemaError
from ..evaluation.declarations import declared, declared_figures, draw_figure, drawing
from .base import PluginContract, assert_survives_a_file, drawn_cases
from .examples import example_cases, example_solutions

OPTIONAL = (
    "pressure",
    "stream_function",
    "error_estimate",
    "residual",
    "iterations",
    "wall_time",
)
"""What a prediction may lack."""


class EvaluatorContract(PluginContract):
    """What evaluators keep.

    Attributes
    ----------
    perfect
        Values of scores for a prediction that equals the reference.
    sometimes
        Scores that may be NaN for all example samples: those that need what the examples lack.
    measured
        Scores that differ from call to call, such as times.
    examples
        Datasets of cases that hypothesis draws, where it is installed.
    """

    kind = "evaluator"
    perfect: ClassVar[Mapping[str, float]] = {}
    sometimes: ClassVar[frozenset[str]] = frozenset()
    measured: ClassVar[frozenset[str]] = frozenset()
    examples: ClassVar[int] = 6

    def fast(self) -> xr.Dataset:
        """Give a prediction that is 10 % too fast and has no more than it must."""
        reference = example_solutions()
        faster = {n: 1.1 * reference[n] for n in ("velocity_x", "velocity_z")}
        for name in faster:
            faster[name].attrs = reference[name].attrs
        return reference.assign(faster).drop_vars(OPTIONAL, errors="ignore")

    def test_is_an_evaluator(self) -> None:
        """The class has the method of the protocol."""
        assert isinstance(self.make(), Evaluator)

    def test_scores_follow_the_schema(self, tmp_path: Path) -> None:
        """Described, with the samples of the reference, and identical after a file."""
        for prediction in (example_solutions(), self.fast()):
            reference = example_solutions()
            scores = self.make().evaluate(reference, prediction)
            validate(scores, "scores")
            assert scores.data_vars
            assert scores["sample"].values.tolist() == reference["sample"].values.tolist()
            for name, score in scores.data_vars.items():
                assert np.isfinite(score.values).any() or name in self.sometimes, name
            assert_survives_a_file(scores, tmp_path / "scores.nc")

    def test_scores_are_as_they_are_declared(self) -> None:
        """Each score has its declaration as attributes, and what stands beside it is there."""
        evaluator = self.make()
        scores = evaluator.evaluate(example_solutions(), self.fast())
        assert declared(scores) == {name: evaluator.metrics[str(name)] for name in scores.data_vars}
        for metric in declared(scores).values():
            assert not metric.beside or metric.beside in scores

    def test_figures_are_drawn(self) -> None:
        """Figures that are offered are written into the scores, and can be drawn.

        One that needs more than the example samples says so with a `SchemaError`.
        """
        evaluator = self.make()
        offered = list(evaluator.figures) if isinstance(evaluator, DrawsFigures) else []
        scores = evaluator.evaluate(example_solutions(), self.fast())
        assert declared_figures(scores) == offered
        for figure in offered:
            assert figure.metric in evaluator.metrics
            assert figure.caption.endswith(".")
            assert callable(drawing(figure))
            try:
                drawn = draw_figure(figure, {"one": scores, "another": scores})
            except SchemaError:
                continue
            assert drawn.axes, figure.name

    def test_a_prepared_reference_gives_the_same_scores(self) -> None:
        """Where the evaluator has `prepare`: its result serves every prediction."""
        evaluator, reference = self.make(), example_solutions()
        if not isinstance(evaluator, PreparesReference):
            return
        prepared = evaluator.prepare(reference)
        evaluator.evaluate(reference, reference, prepared)
        with_it = evaluator.evaluate(reference, self.fast(), prepared)
        without = evaluator.evaluate(reference, self.fast())
        xr.testing.assert_equal(with_it.drop_vars(self.measured), without.drop_vars(self.measured))

    def test_a_perfect_prediction_has_perfect_scores(self) -> None:
        """Every finite value is as `perfect` says."""
        reference = example_solutions()
        scores = self.make().evaluate(reference, reference)
        assert self.perfect, "say what is perfect"
        for name, value in self.perfect.items():
            values = scores[name].values[np.isfinite(scores[name].values)]
            assert values.size, name
            np.testing.assert_allclose(values, value, atol=1e-12, err_msg=name)

    def test_a_worse_prediction_is_told_apart(self) -> None:
        """Some score that `perfect` names is not perfect for a flow that is 10 % too fast."""
        perfect, worse = (
            self.make().evaluate(example_solutions(), prediction)
            for prediction in (example_solutions(), self.fast())
        )
        gaps = {
            name: [np.nanmax(abs(scores[name].values - value)) for scores in (perfect, worse)]
            for name, value in self.perfect.items()
        }
        # Whatever the unit: far beyond the rounding of a perfect prediction.
        assert any(gap > 1e6 * rounding for rounding, gap in gaps.values()), gaps

    @pytest.mark.parametrize("chosen", [[1], [3, 0]])
    def test_a_subset_has_the_same_scores(self, chosen: list[int]) -> None:
        """Samples do not see each other."""
        reference, prediction = example_solutions(), self.fast()
        whole = self.make().evaluate(reference, prediction).isel(sample=chosen)
        part = self.make().evaluate(reference.isel(sample=chosen), prediction.isel(sample=chosen))
        xr.testing.assert_equal(part.drop_vars(self.measured), whole.drop_vars(self.measured))

    def test_inputs_are_left_as_they_were(self) -> None:
        """Neither dataset is touched."""
        reference, prediction = example_solutions(), self.fast()
        self.make().evaluate(reference, prediction)
        xr.testing.assert_identical(reference, example_solutions())
        xr.testing.assert_identical(prediction, self.fast())

    def test_what_cannot_be_compared_is_refused(self) -> None:
        """Another grid, missing samples and another order are errors, never scores."""
        reference = example_solutions()
        others = {
            "another grid": example_solutions(example_cases((30, 20))),
            "fewer samples": reference.isel(sample=[0, 1]),
            "another order": reference.isel(sample=[3, 2, 1, 0]),
        }
        for prediction in others.values():
            with pytest.raises(SchemaError):
                self.make().evaluate(reference, prediction)

    def test_any_reference_has_valid_scores(self) -> None:
        """Perfect ones for itself, on grids and crystals that nobody chose."""

        def check(cases: xr.Dataset) -> None:
            reference = example_solutions(cases)
            scores = self.make().evaluate(reference, reference)
            validate(scores, "scores")
            assert scores["sample"].values.tolist() == reference["sample"].values.tolist()
            for name, value in self.perfect.items():
                values = scores[name].values[np.isfinite(scores[name].values)]
                np.testing.assert_allclose(values, value, atol=1e-12, err_msg=name)

        strategies = drawn_cases()
        strategies.for_all(strategies.cases(), check, self.examples)

"""Scores: make the dataset that an evaluator returns, and score predictions with evaluators."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from ..config.choice import Choice
from ..contracts import PreparesReference
from ..datasets.returned import calling, check_returned
from ..datasets.schema import validate
from ..datasets.solutions import walls
from ..errors import SchemaError, UnsupportedError
from ..metrics import Metric, ScoreFigure
from ..registry import build
from ..runtime.log import logger
from ..scene.grid import Grid
from ..storage.provenance import config_of, provenance
from .declarations import FIGURES

__all__ = ["check_comparable", "make_scores", "ratio"]


def check_comparable(reference: xr.Dataset, prediction: xr.Dataset) -> Grid:
    """Check that two datasets have the same samples, grid and walls, and return the grid.

    Raises
    ------
    SchemaError
        If they do not; the message says what differs.
    """
    grid, other = Grid.from_dataset(reference), Grid.from_dataset(prediction)
    if grid != other:
        raise SchemaError(f"cannot compare: the reference is on {grid}, the prediction on {other}")
    ids = [
        list(d["sample"].values) if "sample" in d.coords else [] for d in (reference, prediction)
    ]
    counts = reference.sizes["sample"], prediction.sizes["sample"]
    if counts[0] != counts[1] or ids[0] != ids[1]:
        raise SchemaError(
            f"cannot compare: the reference has {counts[0]} samples, the prediction {counts[1]}, "
            "or their numbers differ"
        )
    if walls(reference) != walls(prediction):
        raise SchemaError(
            f"cannot compare: the reference has walls = '{walls(reference)}', the prediction "
            f"'{walls(prediction)}'"
        )
    for name in ("crystal_x", "crystal_z", "crystal_radius", "crystal_density"):
        ours, theirs = reference[name].values, prediction[name].values
        if ours.shape != theirs.shape or not np.allclose(ours, theirs, equal_nan=True):
            raise SchemaError(f"cannot compare: '{name}' differs, so the crystals are not the same")
    return grid


def make_scores(
    reference: xr.Dataset,
    values: Mapping[str, ArrayLike],
    definitions: Mapping[str, Metric],
    *,
    along: xr.DataArray | None = None,
    figures: Sequence[ScoreFigure] = (),
) -> xr.Dataset:
    """Make a scores dataset.

    Parameters
    ----------
    reference
        Dataset with the sample numbers; its `crystal_count` becomes a coordinate.
    values
        Arrays on (sample), or (sample, crystal) or, where `along` is given, on (sample) and its
        dimension.
    definitions
        Declaration of each of them.
    along
        Coordinate of the second dimension in place of `crystal`, with `long_name` and `units`.
    figures
        Figures that there are of these scores.
    """
    coords: dict[str, xr.DataArray] = {"crystal_count": reference["crystal_count"]}
    if "sample" in reference.coords:
        coords["sample"] = reference["sample"]
    dims = ("sample", "crystal")
    if along is not None:
        dims = ("sample", str(along.dims[0]))
        coords[dims[1]] = along
    elif "crystal" in reference.coords and any(np.ndim(array) > 1 for array in values.values()):
        coords["crystal"] = reference["crystal"]
    scores = xr.Dataset(
        {
            name: (dims[: np.ndim(array)], array, definitions[name].attributes())
            for name, array in values.items()
        },
        coords=coords,
        attrs={"Conventions": "CF-1.11", "title": "Errors of a flow around crystals in magma"},
    )
    if figures:
        scores.attrs[FIGURES] = json.dumps([f._asdict() for f in figures])
    return validate(scores, "scores")


def ratio(above: ArrayLike, below: ArrayLike) -> NDArray[np.float64]:
    """Ratio of arrays or numbers; not a number where the denominator is not above zero."""
    top, bottom = np.broadcast_arrays(np.asarray(above, float), np.asarray(below, float))
    return np.divide(top, bottom, out=np.full(top.shape, np.nan), where=bottom > 0)


class Scoring:
    """Evaluators made once, for any number of predictions of one reference.

    What an evaluator computes from the reference alone is computed for the first prediction and
    kept; see `crystalsim.contracts.PreparesReference`.

    Parameters
    ----------
    reference
        Dataset of kind ``"solutions"``.
    evaluators
        Options by the name of the evaluator.
    """

    def __init__(self, reference: xr.Dataset, evaluators: Mapping[str, Mapping[str, Any]]) -> None:
        self.reference = reference
        self.options = {name: dict(options) for name, options in evaluators.items()}
        self._evaluators: dict[str, Any] = {}
        self._prepared: dict[str, Any] = {}

    def score(self, name: str, prediction: xr.Dataset) -> xr.Dataset | None:
        """Scores by one of the evaluators; None, with a warning, where it cannot judge these data.

        Raises
        ------
        SchemaError
            If the prediction is of other samples, or on another grid.
        ContractError, PluginError
            If the evaluator returns something else than scores of these samples, or fails.
        """
        check_comparable(self.reference, prediction)
        origin = Choice("evaluator", name).origin
        try:
            with calling(origin):
                returned = self._evaluate(name, prediction)
        except UnsupportedError as error:
            logger.warning("evaluator '%s' is left out: %s", name, error)
            return None
        scores = check_returned(returned, "scores", origin, same_as=self.reference)
        datasets = {"reference": self.reference, "prediction": prediction}
        origins = {which: config_of(dataset.attrs) for which, dataset in datasets.items()}
        attributes = provenance({"evaluator": {name: self.options[name]}, **origins})
        return scores.assign_attrs({**scores.attrs, **attributes})

    def _evaluate(self, name: str, prediction: xr.Dataset) -> Any:
        """Call an evaluator, which is made and prepared once."""
        if name not in self._evaluators:
            self._evaluators[name] = build("evaluator", name, self.options[name])
        evaluator = self._evaluators[name]
        if not isinstance(evaluator, PreparesReference):
            return evaluator.evaluate(self.reference, prediction)
        if name not in self._prepared:
            self._prepared[name] = evaluator.prepare(self.reference)
        return evaluator.evaluate(self.reference, prediction, self._prepared[name])

    def score_all(self, prediction: xr.Dataset) -> dict[str, xr.Dataset]:
        """Scores by each evaluator that can judge these data."""
        datasets = {name: self.score(name, prediction) for name in self.options}
        return {name: scores for name, scores in datasets.items() if scores is not None}


def score(
    reference: xr.Dataset,
    prediction: xr.Dataset,
    evaluators: Mapping[str, Mapping[str, Any]],
) -> dict[str, xr.Dataset]:
    """Scores of one prediction by each evaluator (name to options) that can judge these data."""
    return Scoring(reference, evaluators).score_all(prediction)

"""What comes back from plugins: checked once, where it enters, and named in words."""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import xarray as xr

from ..errors import ContractError, CrystalsimError, PluginError, SchemaError, one_line
from ..runtime.log import logger
from ..runtime.memory import is_shortage
from ..scene.grid import Grid
from . import schema

_RESULTS = ("velocity_x", "velocity_z", "pressure", "stream_function")
"""Variables of solutions that are finite in samples that converged."""


@contextlib.contextmanager
def calling(whose: str, passing: Sequence[BaseException] = ()) -> Iterator[None]:
    """Say whose fault it is if a plugin raises what is no error of a user.

    The traceback goes into the log, where ``-v`` shows it.

    Parameters
    ----------
    whose
        Plugin and distribution; see `crystalsim.config.choice.Choice.origin`.
    passing
        Exceptions that are none of the plugin's, such as those of a callback.

    Raises
    ------
    PluginError
        If the plugin raises anything but a `CrystalsimError` or for want of memory.
    """
    try:
        yield
    except CrystalsimError:
        raise
    except Exception as error:
        if is_shortage(error) or any(error is other for other in passing):
            raise
        log_traceback(whose, traceback.format_exc())
        raise PluginError(f"{whose} failed: {one_line(error)}; --verbose shows where") from error


def log_traceback(whose: str, text: str) -> None:
    """Put the traceback of a plugin among the details of the log."""
    logger.debug("%s failed:\n%s", whose, text.rstrip())


def check_dataset(value: Any, whose: str, what: str) -> xr.Dataset:
    """Give what a plugin returned if it is a dataset.

    Parameters
    ----------
    value
        Anything.
    whose
        Plugin and distribution, for messages.
    what
        Dataset that is expected, for messages.

    Raises
    ------
    ContractError
        If it is something else.
    """
    if isinstance(value, xr.Dataset):
        return value
    description = "None" if value is None else f"an object of type {type(value).__name__}"
    raise ContractError(f"{whose} returned {description}; expected an xarray.Dataset of {what}")


def check_returned(
    value: Any, kind: str, whose: str, *, same_as: xr.Dataset | None = None
) -> xr.Dataset:
    """Give what a plugin returned if it is what its contract promises.

    Parameters
    ----------
    value
        Anything.
    kind
        Kind of dataset that is expected; see `crystalsim.validate`.
    whose
        Plugin and distribution, for messages.
    same_as
        Cases or solutions whose samples have to come back: in order, and for solutions with their
        grid and crystals.

    Raises
    ------
    ContractError
        If it is something else; the message says what, and whose it is.
    """
    dataset = check_dataset(value, whose, f"kind '{kind}'")
    try:
        schema.validate(dataset, kind)
        if same_as is not None:
            _same_samples(dataset, same_as)
            if kind == "solutions":
                _same_cases(dataset, same_as)
    except SchemaError as error:
        raise ContractError(f"{whose} returned what it should not: {error}") from None
    return dataset


def _same_samples(dataset: xr.Dataset, same_as: xr.Dataset) -> None:
    if "sample" not in dataset.sizes:
        raise SchemaError("there is no dimension 'sample'")
    returned, expected = schema.sample_numbers(dataset), schema.sample_numbers(same_as)
    if returned != expected:
        order = "in another order" if sorted(returned) == sorted(expected) else "other samples"
        shown = [", ".join(map(str, numbers[:5])) for numbers in (returned, expected)]
        raise SchemaError(
            f"{order}: {len(returned)} samples ({shown[0]} ...); expected {len(expected)} "
            f"({shown[1]} ...)"
        )


def _same_cases(solutions: xr.Dataset, cases: xr.Dataset) -> None:
    grid, expected = Grid.from_dataset(solutions), Grid.from_dataset(cases)
    if grid != expected:
        raise SchemaError(f"solutions on {grid}; expected those on {expected}")
    for name in schema.INPUTS:
        if name in cases:
            if name not in solutions:
                raise SchemaError(f"'{name}' is missing, which the cases have")
            if not np.array_equal(solutions[name].values, cases[name].values, equal_nan=True):
                raise SchemaError(f"'{name}' differs from that of the cases")


def require_finite(solutions: xr.Dataset) -> None:
    """Check that samples that converged hold numbers.

    Raises
    ------
    SchemaError
        If one does not; the message names the sample and the variable.
    """
    if "converged" not in solutions:
        return
    converged = solutions["converged"].values.astype(bool)
    for name in _RESULTS:
        if name not in solutions:
            continue
        values = solutions[name].values
        finite = np.isfinite(values).all(axis=tuple(range(1, values.ndim)))
        if (bad := np.flatnonzero(converged & ~finite)).size:
            number = schema.sample_numbers(solutions)[bad[0]]
            raise SchemaError(
                f"sample {number}: {name} is not finite, although it says that it converged "
                f"({bad.size} such samples)"
            )

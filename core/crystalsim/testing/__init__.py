"""Contract suites: what every plugin keeps, as tests to inherit.

In a test file of your own::

    from crystalsim.testing import SolverContract

    class TestMine(SolverContract):
        name = "mine"

pytest then collects every test of the suite. The plugin is looked up by its name, as users do, so
its distribution must be installed (editable is fine). The suites need pytest
(``pip install crystalsim[testing]``) and no other plugin. Attributes of the class say what may
differ; who loosens a bound says why in a comment beside it. `crystalsim.testing.strategies` draws
grids, cases and scenes with hypothesis, for the suites and for tests of your own.
"""

from __future__ import annotations

import pytest

# Before the imports: failing assertions then show their values, as they do in a test file.
pytest.register_assert_rewrite(
    *(f"{__name__}.{part}" for part in ("base", "evaluators", "flow", "models", "samplers"))
)

from .evaluators import EvaluatorContract  # noqa: E402
from .examples import example_cases, example_solutions  # noqa: E402
from .flow import FlowContract, SolverContract  # noqa: E402
from .models import ModelContract  # noqa: E402
from .samplers import SamplerContract  # noqa: E402

__all__ = [
    "EvaluatorContract",
    "FlowContract",
    "ModelContract",
    "SamplerContract",
    "SolverContract",
    "example_cases",
    "example_solutions",
]

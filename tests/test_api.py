"""The public API is what is written down, and our plugins and the example use nothing else."""

from __future__ import annotations

import importlib
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from crystalsim.testing.public import MODULES, private_uses, public_names

ROOT = Path(__file__).parents[1]
PACKAGES = sorted(ROOT.glob("plugins/*/crystalsim_*"))
FOLDERS = [*PACKAGES, *sorted(ROOT.glob("plugins/*/benchmarks")), ROOT / "examples"]


def test_there_are_plugins_to_hold_to_it():
    assert len(PACKAGES) >= 10


@pytest.mark.parametrize("folder", [*FOLDERS, ROOT / "benchmarks"], ids=lambda f: f.name)
def test_plugins_and_examples_use_public_names_alone(folder):
    assert private_uses(folder) == []


def test_every_public_name_has_a_line_of_documentation():
    names = public_names()
    assert list(names) == list(MODULES)
    undescribed = [
        f"{m}.{n}" for m, of_module in names.items() for n, s in of_module.items() if not s
    ]
    assert undescribed == []


@pytest.mark.parametrize("module", MODULES)
def test_every_public_name_is_there(module):
    pytest.importorskip("torch")
    loaded = importlib.import_module(module)
    names = public_names()[module]
    assert sorted(names) == sorted(loaded.__all__)
    assert not [name for name in names if not hasattr(loaded, name)]


def test_the_page_is_up_to_date():
    code = [sys.executable, "-m", "crystalsim.testing.public"]
    done = subprocess.run(code, capture_output=True, text=True, check=True)
    assert (ROOT / "docs" / "api.md").read_text(encoding="utf-8") == done.stdout


def test_public_names_are_told_without_torch():
    code = (
        "import sys; from crystalsim.testing.public import public_names; public_names(); "
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("from crystalsim.storage.locks import lock", "crystalsim.storage.locks.lock"),
        ("from crystalsim.datasets.schema import overlaps", "crystalsim.datasets.schema.overlaps"),
        ("import crystalsim.execution.shards", "crystalsim.execution.shards"),
        ("import crystalsim\ncrystalsim.registry", "crystalsim.registry"),
        ("from crystalsim.stokes import operators\noperators.A", "crystalsim.stokes.operators.A"),
        ("def f(solver):\n    return solver._solve()", "the underscore name _solve"),
        (
            "from crystalsim.learning.surrogate import TorchSurrogate\n"
            "class Mine(TorchSurrogate):\n    def _new_network(self):\n        pass",
            "Mine overrides the underscore name _new_network",
        ),
        (
            "from crystalsim import Grid\n"
            "from crystalsim.testing import SolverContract\n"
            "class Mine(SolverContract):\n    _fitted = {}\n\n"
            "from crystalsim.testing import ModelContract\n"
            "class Other(ModelContract):\n    _fitted = {}\n",
            "Other overrides the underscore name _fitted",
        ),
    ],
    ids=["module", "name", "import", "attribute", "of a module", "use", "override", "of its own"],
)
def test_what_is_not_public_is_told(tmp_path, source, expected):
    (tmp_path / "part").mkdir()
    (tmp_path / "part" / "file.py").write_text(source)
    (line,) = private_uses(tmp_path)
    assert line.startswith(str(tmp_path / "part" / "file.py"))
    assert line.endswith(f": {expected}")


def test_what_is_public_is_not_told(tmp_path):
    source = """
        import crystalsim
        import crystalsim.stokes.diagnostics
        from crystalsim import Grid, stokes
        from crystalsim.stokes import operators
        from crystalsim.learning.heads import Flow

        class Mine:
            def __init__(self):
                self._grid = Grid(1, 1)

        def own(flow):
            crystalsim.stokes.diagnostics.strain_rate(crystalsim.get("solver", "builtin"))
            operators.velocity(Mine()._grid)
            return flow._replace(normal=None)
    """
    (tmp_path / "file.py").write_text(textwrap.dedent(source).replace("Grid, stokes", "Grid"))
    assert private_uses(tmp_path) == []


def test_types_are_known_to_a_type_checker(tmp_path):
    mypy = pytest.importorskip("mypy.api")
    (tmp_path / "typed.py").write_text(
        "import crystalsim\n"
        + "".join(
            f"reveal_type(crystalsim.get({kind!r}, 'any'))\n"
            for kind in ("sampler", "solver", "model", "evaluator")
        )
        + "solver = crystalsim.get('solver', 'builtin')\n"
        "if isinstance(solver, crystalsim.contracts.IterationBudget):\n"
        "    reveal_type(solver.limited(iterations=3).solve)\n"
        "solver.predict\n"
        "reveal_type(crystalsim.load_model('folder'))\n"
    )
    text = mypy.run([str(tmp_path / "typed.py"), "--config-file=", f"--cache-dir={tmp_path}"])[0]
    for line, kind in enumerate(("Sampler", "Solver", "Model", "Evaluator"), start=2):
        assert f'typed.py:{line}: note: Revealed type is "crystalsim.contracts.{kind}"' in text
    assert 'typed.py:8: note: Revealed type is "def (cases:' in text
    assert 'typed.py:9: error: "Solver" has no attribute "predict"' in text
    assert 'typed.py:10: note: Revealed type is "crystalsim.contracts.Model"' in text

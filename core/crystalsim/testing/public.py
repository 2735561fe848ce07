"""What is public, written down once: the modules here, and the names in ``__all__`` of each.

``python -m crystalsim.testing.public > docs/api.md`` writes the page that lists them.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

MODULES = (
    "crystalsim",
    "crystalsim.contracts",
    "crystalsim.hookspecs",
    "crystalsim.options",
    "crystalsim.errors",
    "crystalsim.datasets.schema",
    "crystalsim.datasets.cases",
    "crystalsim.datasets.crystals",
    "crystalsim.datasets.scenes",
    "crystalsim.datasets.solutions",
    "crystalsim.scene.case",
    "crystalsim.scene.grid",
    "crystalsim.scene.options",
    "crystalsim.scene.painting",
    "crystalsim.scene.shapes",
    "crystalsim.stokes.operators",
    "crystalsim.stokes.isoviscous",
    "crystalsim.stokes.torch_isoviscous",
    "crystalsim.stokes.extra_stress",
    "crystalsim.stokes.crystal_motion",
    "crystalsim.stokes.diagnostics",
    "crystalsim.stokes.analytic",
    "crystalsim.learning.options",
    "crystalsim.learning.surrogate",
    "crystalsim.learning.batches",
    "crystalsim.learning.heads",
    "crystalsim.learning.losses",
    "crystalsim.learning.transport",
    "crystalsim.metrics",
    "crystalsim.evaluation.scores",
    "crystalsim.evaluation.summaries",
    "crystalsim.evaluation.extrema",
    "crystalsim.evaluation.comparison",
    "crystalsim.evaluation.measurements",
    "crystalsim.storage.models",
    "crystalsim.storage.netcdf",
    "crystalsim.storage.run_folder",
    "crystalsim.plotting",
    "crystalsim.plotting.style",
    "crystalsim.testing",
    "crystalsim.testing.public",
    "crystalsim.validation",
)
"""Modules with public names; no other may be imported from."""

__all__ = ["MODULES", "private_uses", "public_names"]

_CORE = Path(__file__).parents[1]
_NAMED_TUPLE = {"_asdict", "_fields", "_make", "_replace"}
_PAGE = """\
# Public names

Everything that plugins and other programs may import. A test holds the plugins and the example of
this repository to it, and `crystalsim.testing.public.private_uses` tells it of yours. What is not
here may change at any time; [stability.md](stability.md) says what may change of the rest. This
page is written by `python -m crystalsim.testing.public > docs/api.md` from `__all__` and the
docstrings, which say more.
"""


def public_names() -> dict[str, dict[str, str]]:
    """Public names by module, each with the first line of its docstring.

    Nothing is imported for it: torch and pytest may be missing.
    """
    return {module: {n: _summary(module, n) for n in _exported(module)} for module in MODULES}


def private_uses(folder: Path) -> list[str]:
    """What the Python files in a folder use of crystalsim that is not public.

    Parameters
    ----------
    folder
        Folder of a package, with the files in its subfolders.

    Returns
    -------
    list of str
        A line each, with file and line number: imports of names that are not public, and underscore
        names that the package has not defined itself, or that it takes from the class it inherits.
    """
    trees = {path: _parse(path) for path in sorted(folder.rglob("*.py"))}
    own = {name for tree in trees.values() for name in _defined(tree)} | _NAMED_TUPLE
    public = {module: set(_exported(module)) for module in MODULES}
    return [
        f"{path}:{line}: {what}"
        for path, tree in trees.items()
        for line, what in [
            *_private_imports(tree, public),
            *_underscores(tree, own),
            *_overrides(tree),
        ]
    ]


def _private_imports(tree: ast.Module, public: dict[str, set[str]]) -> Iterator[tuple[int, str]]:
    """Imports, and attributes of imported modules, that are not public."""
    modules = {}  # local name -> module
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and not node.level and _is_core(node.module):
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                if whole in public:
                    modules[alias.asname or alias.name] = whole
                elif alias.name not in public.get(str(node.module), ()):
                    yield node.lineno, whole
        elif isinstance(node, ast.Import):
            for alias in filter(lambda a: _is_core(a.name), node.names):
                modules[alias.asname or "crystalsim"] = alias.name if alias.asname else "crystalsim"
                if alias.name not in public:
                    yield node.lineno, alias.name
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            module = _module(node.value, modules)
            whole = f"{module}.{node.attr}"
            if module in public and node.attr not in public[module] and not _leads_to_one(whole):
                yield node.lineno, whole


def _underscores(tree: ast.Module, own: set[str]) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and _is_private(node.attr) and node.attr not in own:
            yield node.lineno, f"the underscore name {node.attr}"


def _overrides(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Underscore names of classes of the core that a subclass defines again."""
    inherited = {
        alias.asname or alias.name: (str(node.module), alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and not node.level and _is_core(node.module)
        for alias in node.names
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            names = [_base_name(base) for base in node.bases]
            taken = {n for b in names if b in inherited for n in _of_class(*inherited[b])}
            for name in sorted(taken & set(_defined(node))):
                yield node.lineno, f"{node.name} overrides the underscore name {name}"


def _of_class(module: str, name: str) -> set[str]:
    """Underscore names of a class of the core, and of the classes of the core that it inherits."""
    module, node = _definition(module, name)
    if not isinstance(node, ast.ClassDef):
        return set()
    names = set(_defined(node))
    for base in map(_base_name, node.bases):
        if base and _can_be_found(module, base):
            names |= _of_class(module, base)
    return names


def _defined(tree: ast.AST) -> Iterator[str]:
    """Underscore names that a module or class defines: functions, variables and attributes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and _is_private(node.name):
            yield node.name
        elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            name = node.id if isinstance(node, ast.Name) else node.attr
            if _is_private(name):
                yield name


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name != "_"


def _is_core(module: str | None) -> bool:
    return module is not None and module.split(".")[0] == "crystalsim"


def _leads_to_one(name: str) -> bool:
    return any(module == name or module.startswith(f"{name}.") for module in MODULES)


def _module(node: ast.expr, modules: dict[str, str]) -> str | None:
    """Module that an expression such as ``crystalsim.stokes.operators`` stands for."""
    if isinstance(node, ast.Name):
        return modules.get(node.id)
    if isinstance(node, ast.Attribute) and (outer := _module(node.value, modules)):
        return f"{outer}.{node.attr}"
    return None


def _base_name(node: ast.expr) -> str:
    inner = node.value if isinstance(node, ast.Subscript) else node
    return inner.id if isinstance(inner, ast.Name) else ""


def _exported(module: str) -> list[str]:
    """Names in ``__all__`` of a module."""
    homes = _homes() if module == "crystalsim" else {}
    for node in _source(module).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            assert isinstance(node.value, ast.List)
            written = [e.value for e in node.value.elts if isinstance(e, ast.Constant)]
            return [*map(str, written), *homes]
    raise ValueError(f"{module} has no __all__")


def _homes() -> dict[str, str]:
    """Modules of the names that the package itself loads on first use."""
    for node in _source("crystalsim").body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_HOMES":
            return dict(ast.literal_eval(node.value))
    raise ValueError("crystalsim has no _HOMES")


def _summary(module: str, name: str) -> str:
    home, node = _definition(module, name)
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        text = ast.get_docstring(node) or ""
    elif isinstance(node, ast.ImportFrom):
        text = f"`{name}` of {node.module}."
    else:
        body = _source(home).body if node in _source(home).body else []
        after = body[body.index(node) + 1 :][:1]
        text = ""
        if after and isinstance(after[0], ast.Expr) and isinstance(after[0].value, ast.Constant):
            text = str(after[0].value.value)
    return " ".join(text.strip().split("\n\n")[0].split())


@functools.cache
def _definition(module: str, name: str) -> tuple[str, ast.stmt]:
    """Module and statement that define a public name, wherever it was imported from."""
    if module == "crystalsim" and name in _homes():
        return _definition(f"crystalsim.{_homes()[name]}", name)
    imports = None
    for node in reversed(_source(module).body):  # the last of overloads is the function
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name:
            return module, node
        if isinstance(node, ast.Assign | ast.AnnAssign):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if ast.unparse(target) == name:
                return module, node
        if isinstance(node, ast.ImportFrom) and name in [a.asname or a.name for a in node.names]:
            imports = node
    if imports is None:
        raise ValueError(f"{module} does not define {name}")
    if not imports.level:  # of another library
        return module, imports
    package = module if _path(module).name == "__init__.py" else module.rpartition(".")[0]
    parents = package.split(".")
    above = parents[: len(parents) - imports.level + 1]
    original = next(a.name for a in imports.names if (a.asname or a.name) == name)
    return _definition(".".join([*above, *filter(None, [imports.module])]), original)


def _can_be_found(module: str, name: str) -> bool:
    try:
        _definition(module, name)
    except (ValueError, OSError):
        return False
    return True


@functools.cache
def _source(module: str) -> ast.Module:
    return _parse(_path(module))


def _parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def _path(module: str) -> Path:
    path = _CORE.joinpath(*module.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _page() -> str:
    parts = [_PAGE]
    for module, names in public_names().items():
        rows = "".join(
            f"| `{name}` | {text.replace('|', chr(92) + '|')} |\n"
            for name, text in sorted(names.items())
        )
        about = (ast.get_docstring(_source(module)) or "").split("\n\n")[0].replace("\n", " ")
        parts.append(f"\n## `{module}`\n\n{about}\n\n| | |\n| --- | --- |\n{rows}")
    return "".join(parts)


if __name__ == "__main__":
    print(_page(), end="")

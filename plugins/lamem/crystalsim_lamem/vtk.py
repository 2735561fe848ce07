"""Read what LaMEM writes: a `.pvtr` index and one `.vtr` piece a process.

A piece is XML up to ``<AppendedData encoding="raw">``, then an underscore and for each array a
64-bit count of bytes and little-endian floats of 32 bits; as a whole it is no valid XML. All
values are on nodes, x fastest; components are interleaved. Extents count nodes from 1, and pieces
of neighbouring processes share a layer.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from .failures import LamemError

Array = NDArray[np.float64]


class Nodes(NamedTuple):
    """Everything on nodes.

    Attributes
    ----------
    x, y, z
        Positions [km].
    fields
        Arrays (z, y, x) or (z, y, x, component) by LaMEM's names, such as ``velocity [cm/yr]``.
    """

    x: Array
    y: Array
    z: Array
    fields: dict[str, Array]


def read_step(index: Path) -> Nodes:
    """Read all pieces of a time step.

    Parameters
    ----------
    index
        The file `output.pvtr`.

    Raises
    ------
    LamemError
        If a file is missing, damaged, or the pieces do not cover the grid.
    """
    root = _parse(_bytes(index), index)
    grid = root.find("PRectilinearGrid")
    if grid is None:
        raise LamemError(f"{index}: not the index of a rectilinear grid")
    whole = _extent(grid, "WholeExtent", index)
    sizes = [high - low + 1 for low, high in whole]
    pieces = [_piece(piece, whole, index) for piece in grid.findall("Piece")]
    # Nothing is allocated that the pieces do not hold: an index can declare any size.
    if math.prod(sizes) > sum(math.prod(shape) for _, _, shape, _ in pieces):
        raise LamemError(f"{index}: its pieces do not cover the grid")
    positions = [np.full(size, np.nan) for size in sizes]
    fields: dict[str, Array] = {}
    for path, part, shape, arrays in pieces:
        for axis, name in enumerate("xyz"):
            positions[axis][part[axis]] = _take(arrays, name, shape[2 - axis : 3 - axis], path)
        for name in arrays:
            if name in "xyz":
                continue
            values = _take(arrays, name, shape, path)
            if name not in fields:
                fields[name] = np.full((*sizes[::-1], *values.shape[3:]), np.nan)
            if fields[name].shape[3:] != values.shape[3:]:
                raise LamemError(f"{path}: '{name}' has other components than in other pieces")
            fields[name][part[::-1]] = values
    if not fields or any(np.isnan(axis).any() for axis in positions):
        raise LamemError(f"{index}: its pieces do not cover the grid")
    return Nodes(positions[0], positions[1], positions[2], fields)


class _Piece(NamedTuple):
    """One file: where it lies, its nodes (z, y, x), components and values of its arrays."""

    path: Path
    part: tuple[slice, ...]
    shape: tuple[int, ...]
    arrays: dict[str, tuple[int, Array]]


def _piece(element: ElementTree.Element, whole: list[tuple[int, int]], index: Path) -> _Piece:
    path = index.parent / Path(element.get("Source", "")).name
    here = _extent(element, "Extent", index)
    for (low, high), (first, last) in zip(here, whole, strict=True):
        if not first <= low <= high <= last:
            raise LamemError(f"{index}: the piece {path.name} reaches beyond the grid")
    part = tuple(
        slice(low - first, high - first + 1)
        for (low, high), (first, _) in zip(here, whole, strict=True)
    )
    shape = tuple(high - low + 1 for low, high in reversed(here))
    arrays = _read_piece(path)
    for axis, name in enumerate("xyz"):
        _take(arrays, name, shape[2 - axis : 3 - axis], path)
    for name in set(arrays) - set("xyz"):
        _take(arrays, name, shape, path)
    return _Piece(path, part, shape, arrays)


def _take(
    arrays: dict[str, tuple[int, Array]], name: str, shape: tuple[int, ...], path: Path
) -> Array:
    """Values of one array in its shape, with the components last if there are several."""
    if name not in arrays:
        raise LamemError(f"{path}: holds no array '{name}'")
    components, values = arrays[name]
    full = shape if components == 1 else (*shape, components)
    if values.size != math.prod(full):
        raise LamemError(
            f"{path}: '{name}' holds {values.size} numbers; expected {math.prod(full)} for the "
            "extent"
        )
    return values.reshape(full)


def _read_piece(path: Path) -> dict[str, tuple[int, Array]]:
    """Number of components and values of each array of a piece."""
    content = _bytes(path)
    end = content.find(b"<AppendedData")
    start = content.find(b"_", content.find(b">", end)) + 1
    if end < 0 or start == 0 or b'encoding="raw"' not in content[end:start]:
        raise LamemError(f"{path}: holds no raw appended data")
    root = _parse(content[:end] + b"</VTKFile>", path)
    if (root.get("byte_order"), root.get("header_type")) != ("LittleEndian", "UInt64"):
        raise LamemError(f"{path}: expected little-endian data with 64-bit counts")
    arrays = {}
    for array in root.iter("DataArray"):
        name = array.get("Name", "")
        if array.get("type") != "Float32" or array.get("format") != "appended":
            raise LamemError(f"{path}: '{name}': expected appended data of type Float32")
        first = start + _integer(array, "offset", "0", path)
        count = int.from_bytes(content[first : first + 8], "little")
        if first + 8 + count > len(content) or count % 4:
            raise LamemError(f"{path}: cut off within '{name}'")
        values = np.frombuffer(content, "<f4", count // 4, first + 8).astype(np.float64)
        arrays[name] = _integer(array, "NumberOfComponents", "1", path), values
    return arrays


def _integer(element: ElementTree.Element, key: str, default: str, path: Path) -> int:
    text = element.get(key, default)
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise LamemError(f"{path}: {key} = '{text[:40]}': expected a number from 0")
    return int(text)


def _extent(element: ElementTree.Element, key: str, path: Path) -> list[tuple[int, int]]:
    """First and last node in x, y and z."""
    numbers = element.get(key, "").split()
    if len(numbers) != 6 or not all(n.isascii() and n.isdigit() and len(n) < 10 for n in numbers):
        raise LamemError(f"{path}: {key} = '{' '.join(numbers)[:80]}': expected six numbers")
    x_low, x_high, y_low, y_high, z_low, z_high = map(int, numbers)
    return [(x_low, x_high), (y_low, y_high), (z_low, z_high)]


def _parse(text: bytes, path: Path) -> ElementTree.Element:
    try:
        return ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError, LookupError) as error:  # also odd encodings
        raise LamemError(f"{path}: damaged: {error}") from None


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise LamemError(f"{path}: cannot be read: {error.strerror}") from None

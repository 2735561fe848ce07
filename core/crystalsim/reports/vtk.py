"""VTK's XML files with binary numbers: grids (.vtr), polygons (.vtp) and lists of files (.pvd).

Numbers follow the XML as they are in memory ("appended raw"), little-endian, each array after its
length as an unsigned integer of eight bytes. The format is that of "VTK XML Formats", VTK
documentation, https://docs.vtk.org/en/latest/vtk_file_formats/vtkxml_file_format.html.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..storage.files import write_text, written_aside

Array = NDArray[np.generic]

_TYPES = {"f": "Float", "i": "Int", "u": "UInt"}


class _Appended:
    """Arrays that follow the XML, and the elements that point to them."""

    def __init__(self) -> None:
        self.blocks: list[bytes] = []
        self.size = 0

    def element(self, name: str, values: ArrayLike) -> str:
        """Keep an array (tuple[, component]) and give its element."""
        array = np.asarray(values)
        if array.dtype == bool:
            array = array.astype(np.uint8)
        array = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
        kind = f"{_TYPES[array.dtype.kind]}{8 * array.dtype.itemsize}"
        components = array.shape[1] if array.ndim > 1 else 1
        text = (
            f'<DataArray type="{kind}" Name={quoteattr(name)} NumberOfComponents="{components}" '
            f'format="appended" offset="{self.size}"/>'
        )
        block = array.nbytes.to_bytes(8, "little") + array.tobytes()
        self.blocks.append(block)
        self.size += len(block)
        return text

    def section(self, tag: str, arrays: Mapping[str, ArrayLike]) -> str:
        """Element that holds several arrays."""
        return f"<{tag}>{''.join(self.element(*item) for item in arrays.items())}</{tag}>"


def write_grid(
    path: Path,
    axes: Sequence[Array],
    cells: Mapping[str, ArrayLike],
    corners: Mapping[str, ArrayLike],
) -> None:
    """Write a rectilinear grid.

    Parameters
    ----------
    path
        File to write, ``.vtr``.
    axes
        Positions of the faces along x, y and z; one position where the grid is flat.
    cells, corners
        Arrays by name on cells and on corners, flattened with x fastest: (cell[, 3]).
    """
    extent = " ".join(f"0 {axis.size - 1}" for axis in axes)
    appended = _Appended()
    content = (
        f'<RectilinearGrid WholeExtent="{extent}"><Piece Extent="{extent}">'
        + appended.section("CellData", cells)
        + appended.section("PointData", corners)
        + appended.section("Coordinates", dict(zip("xyz", axes, strict=True)))
        + "</Piece></RectilinearGrid>"
    )
    _write(path, "RectilinearGrid", content, appended)


def write_polygons(
    path: Path, polygons: Sequence[NDArray[np.float64]], values: Mapping[str, ArrayLike]
) -> None:
    """Write polygons with values.

    Parameters
    ----------
    path
        File to write, ``.vtp``.
    polygons
        Corners of each (corner, 3).
    values
        Arrays by name (polygon[, 3]).
    """
    points = np.concatenate([np.empty((0, 3)), *polygons])
    ends = np.cumsum([len(polygon) for polygon in polygons], dtype=np.int64)
    appended = _Appended()
    content = (
        f'<PolyData><Piece NumberOfPoints="{len(points)}" NumberOfPolys="{len(polygons)}">'
        + appended.section("CellData", values)
        + appended.section("Points", {"points": points})
        + appended.section(
            "Polys", {"connectivity": np.arange(len(points), dtype=np.int64), "offsets": ends}
        )
        + "</Piece></PolyData>"
    )
    _write(path, "PolyData", content, appended)


def write_collection(path: Path, files: Iterable[tuple[float, Sequence[str]]]) -> None:
    """Write a list of files for ParaView.

    Parameters
    ----------
    path
        File to write, ``.pvd``.
    files
        Time, and the names of the files that belong to it.
    """
    lines = [
        f'    <DataSet timestep="{time}" part="{part}" file={quoteattr(name)}/>\n'
        for time, names in files
        for part, name in enumerate(names)
    ]
    write_text(
        path,
        '<?xml version="1.0"?>\n<VTKFile type="Collection" version="0.1">\n  <Collection>\n'
        f"{''.join(lines)}  </Collection>\n</VTKFile>\n",
    )


def _write(path: Path, kind: str, content: str, appended: _Appended) -> None:
    head = (
        f'<?xml version="1.0"?>\n<VTKFile type="{kind}" version="1.0" byte_order="LittleEndian" '
        f'header_type="UInt64">{content}<AppendedData encoding="raw">_'
    )
    with written_aside(path) as aside, aside.open("wb") as file:
        file.write(head.encode())
        file.writelines(appended.blocks)
        file.write(b"</AppendedData></VTKFile>\n")

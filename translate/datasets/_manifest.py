"""The rows of a manifest of pairs: CSV, or Parquet if its name ends so. The only file that knows pyarrow."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from translate.errors import DataError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

COLUMNS = ("a", "b")
Row = tuple[int, tuple[str, str]]
"""Where it stands (the line in CSV, in Parquet the row, from 1), and what is in the columns; empty where nothing is."""


def read_manifest(name: str, content: bytes) -> list[Row]:
    """The rows of a file; columns other than ``a`` and ``b`` are not read.

    Raises `DataError` if it is no such table, `UsageError` if it is Parquet and pyarrow is not installed.
    """
    return list(_parquet(content) if name.endswith(".parquet") else _csv(content))


def write_manifest(name: str, pairs: Sequence[tuple[str, str]]) -> bytes:
    """A file that `read_manifest` reads: Parquet if the name ends so (it needs pyarrow), else CSV."""
    if name.endswith(".parquet"):
        import pyarrow as pa
        from pyarrow import parquet

        columns = {column: pa.array([pair[place] for pair in pairs], pa.string())
                   for place, column in enumerate(COLUMNS)}
        parquet.write_table(pa.table(columns), content := pa.BufferOutputStream())
        written: bytes = content.getvalue().to_pybytes()
        return written
    lines = io.StringIO(newline="")
    csv.writer(lines).writerows([COLUMNS, *pairs])
    return lines.getvalue().encode()


def _csv(content: bytes) -> Iterator[Row]:
    try:
        reader = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        _check_columns(reader.fieldnames or ())
        for row in reader:
            yield reader.line_num, (row["a"] or "", row["b"] or "")
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"is no CSV in UTF-8 ({error}); expected the columns a and b") from error


def _parquet(content: bytes) -> Iterator[Row]:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ModuleNotFoundError as error:
        raise UsageError("a manifest in Parquet needs pyarrow: pip install 'translate-images[parquet]', or give the "
                         "manifest as CSV") from error
    try:
        file = parquet.ParquetFile(pa.BufferReader(content))
        _check_columns(file.schema_arrow.names)
        table = file.read(columns=list(COLUMNS))
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"is no Parquet file that can be read ({error}); expected the columns a and b") from error
    for number, keys in enumerate(zip(*(table[column].to_pylist() for column in COLUMNS), strict=True), start=1):
        a, b = ("" if key is None else key for key in keys)
        if not isinstance(a, str) or not isinstance(b, str):
            raise DataError(f"has no text in the columns a and b but {table.schema.field('a').type} and "
                            f"{table.schema.field('b').type}; expected paths")
        yield number, (a, b)


def _check_columns(found: Sequence[str]) -> None:
    if not set(COLUMNS) <= set(found):
        raise DataError(f"has the columns {', '.join(found) or '(none)'}; expected a and b")

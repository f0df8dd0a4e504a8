"""Tables to Parquet bytes and back: the same table gives the same bytes, and its types return."""

import io
from typing import TYPE_CHECKING, Any

from corelab.errors import ContractError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


def format_parquet(table: "pd.DataFrame | pa.Table", *, mark: str = "") -> bytes:
    """Write a table of texts, float64 and Int64 columns as Parquet bytes.

    ``mark`` goes into the file's metadata, where there is one.

    Raises
    ------
    ContractError
        If a column has another type: a table is made of these three.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    laid_out = table if isinstance(table, pa.Table) else lay_out_frame(table)
    buffer = io.BytesIO()
    marked = laid_out.replace_schema_metadata({"corelab": mark} if mark else None)
    pq.write_table(marked.combine_chunks(), buffer, compression="zstd")
    return buffer.getvalue()


def lay_out_frame(table: "pd.DataFrame") -> "pa.Table":
    """Lay a table of texts, float64 and Int64 columns out as Arrow; raises as `format_parquet`."""
    import pyarrow as pa

    fields, arrays = [], []
    for name in table.columns:
        arrow_type = _arrow_type(str(table[name].dtype), name=str(name))
        fields.append(pa.field(str(name), arrow_type))
        arrays.append(pa.array(table[name], type=arrow_type, from_pandas=True))
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def parse_parquet(data: bytes) -> "pd.DataFrame":
    """Read back what `format_parquet` wrote: text as str objects, Int64 nullable, float64 with NaN."""
    import pyarrow.parquet as pq

    return make_frame(pq.read_table(io.BytesIO(data)))


def make_frame(table: "pa.Table") -> "pd.DataFrame":
    """Give back the table that `lay_out_frame` laid out."""
    import pandas as pd
    import pyarrow as pa

    nullable = {pa.int64(): pd.Int64Dtype()}
    frame: pd.DataFrame = table.to_pandas(types_mapper=nullable.get)
    return frame


def _arrow_type(dtype: str, *, name: str) -> Any:
    import pyarrow as pa

    types = {"object": pa.string(), "str": pa.string(), "float64": pa.float64(), "Int64": pa.int64()}
    try:
        return types[dtype]
    except KeyError:
        raise ContractError(
            f"has type {dtype}", place=f"column {name}", expected="text, float64 or Int64"
        ) from None

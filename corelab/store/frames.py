"""Tables to Parquet bytes and back: the same table gives the same bytes, and its types return."""

import io
from typing import TYPE_CHECKING, Any

from corelab.errors import ContractError

if TYPE_CHECKING:
    import pandas as pd


def format_parquet(table: "pd.DataFrame", *, mark: str = "") -> bytes:
    """Write a table of texts, float64 and Int64 columns as Parquet bytes.

    ``mark`` goes into the file's metadata, where there is one.

    Raises
    ------
    ContractError
        If a column has another type: a table is made of these three.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    fields, arrays = [], []
    for name in table.columns:
        arrow_type = _arrow_type(str(table[name].dtype), name=str(name))
        fields.append(pa.field(str(name), arrow_type))
        arrays.append(pa.array(table[name], type=arrow_type, from_pandas=True))
    buffer = io.BytesIO()
    schema = pa.schema(fields, metadata={"corelab": mark} if mark else None)
    pq.write_table(pa.Table.from_arrays(arrays, schema=schema), buffer, compression="zstd")
    return buffer.getvalue()


def parse_parquet(data: bytes) -> "pd.DataFrame":
    """Read back what `format_parquet` wrote: text as str objects, Int64 nullable, float64 with NaN."""
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    nullable = {pa.int64(): pd.Int64Dtype()}
    table: pd.DataFrame = pq.read_table(io.BytesIO(data)).to_pandas(types_mapper=nullable.get)
    return table


def _arrow_type(dtype: str, *, name: str) -> Any:
    import pyarrow as pa

    types = {"object": pa.string(), "str": pa.string(), "float64": pa.float64(), "Int64": pa.int64()}
    try:
        return types[dtype]
    except KeyError:
        raise ContractError(
            f"has type {dtype}", place=f"column {name}", expected="text, float64 or Int64"
        ) from None

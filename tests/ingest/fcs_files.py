"""FCS files made by hand, byte by byte, for tests of the reader."""

from collections.abc import Mapping, Sequence

import numpy as np

Keywords = Mapping[str, str]


def build_fcs(
    data: bytes,
    *,
    names: Sequence[str],
    n_events: int | None,
    bits: Sequence[int] | int = 32,
    datatype: str = "F",
    byteord: str = "1,2,3,4",
    version: str = "FCS3.1",
    delimiter: str = "|",
    keywords: Keywords | None = None,
    header_data: tuple[int, int] | None = None,
    tail: bytes = b"",
) -> bytes:
    """Lay out HEADER, TEXT and DATA; ``keywords`` override or (with value None) remove defaults."""
    widths = [bits] * len(names) if isinstance(bits, int) else bits
    table = {
        "$BEGINANALYSIS": "0", "$ENDANALYSIS": "0", "$BEGINSTEXT": "0", "$ENDSTEXT": "0",
        "$BYTEORD": byteord, "$DATATYPE": datatype, "$MODE": "L", "$NEXTDATA": "0",
        "$PAR": str(len(names)),
    }  # fmt: skip
    if n_events is not None:
        table["$TOT"] = str(n_events)
    for number, (name, width) in enumerate(zip(names, widths, strict=True), start=1):
        table |= {f"$P{number}N": name, f"$P{number}B": str(width), f"$P{number}E": "0,0",
                  f"$P{number}R": "262144"}  # fmt: skip
    table |= dict(keywords or {})
    fixed = {key: value for key, value in table.items() if value is not None}

    def text(begin: int, end: int) -> bytes:
        offsets = {"$BEGINDATA": f"{begin:08d}", "$ENDDATA": f"{end:08d}"}
        pairs = {**offsets, **fixed}
        body = delimiter.join(
            f"{key}{delimiter}{value.replace(delimiter, delimiter * 2)}" for key, value in pairs.items()
        )
        return f"{delimiter}{body}{delimiter}".encode()

    begin = 256 + len(text(0, 0))
    end = begin + len(data) - 1
    claimed = header_data or (begin, end)
    header = f"{version}    {256:8d}{begin - 1:8d}{claimed[0]:8d}{claimed[1]:8d}{0:8d}{0:8d}"
    return header.ljust(256).encode() + text(begin, end) + data + tail


def build_float_fcs(events: np.ndarray, **kwargs: object) -> bytes:
    """A little-endian float32 file of these events."""
    names = kwargs.pop("names", [f"C{i}-A" for i in range(events.shape[1])])
    data = events.astype("<f4").tobytes()
    return build_fcs(data, names=names, n_events=len(events), **kwargs)  # type: ignore[arg-type]

"""FCS files with mutated headers: the same events as an independent reader, or one clear refusal."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from corelab.errors import FcsReadError
from corelab.ingest.fcs import read_fcs
from tests.ingest.fcs_files import build_fcs, build_float_fcs
from tests.ingest.plain_reader import UnreadableError, read_plainly

Values = npt.NDArray[np.float64]
N: Final = 40
_NUMBERS: Final = (
    "0", "1", "2", "3", "7", "8", "16", "32", "33", "40", "64", "1024", "99999999", "-1", "4e3", "1.5", "nan",
    "", "x", " 16 ", "0016", "+3", "٣", "18446744073709551616",
)  # fmt: skip
_WORDS: Final = (
    "F", "D", "I", "A", "L", "U", "1,2,3,4", "4,3,2,1", "2,1", "1,2", "3,4,1,2", "0,0", "4,0", "4,1", "0,1",
    "4", "a|b", "||",
)  # fmt: skip


@dataclass(slots=True)
class Outcome:
    """What happened to the mutated files, and the seeds at which something was misread."""

    counts: Counter[str] = field(default_factory=Counter)
    misread: list[str] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)


def build_bases(rng: np.random.Generator) -> list[bytes]:
    """Make one small file of every kind that has to be read."""
    floats = rng.normal(1000, 400, (N, 3)).astype("<f4").astype(float)
    short = rng.integers(0, 1024, (N, 3)).astype(">u2")
    mixed = b"".join(
        int(rng.integers(0, 2 ** (8 * w))).to_bytes(w, "little") for _ in range(N) for w in (1, 2, 3, 4)
    )
    packed = "".join(f"{v:010b}" for v in rng.integers(0, 1024, N * 4))
    parts = np.zeros(N, dtype=[("a", "<f4"), ("b", "<i4"), ("c", "<f8")])
    parts["a"], parts["b"], parts["c"] = rng.normal(0, 1, N), rng.integers(0, 9999, N), rng.normal(0, 1, N)
    ranges = {f"$P{i}R": "1024" for i in range(1, 5)}
    return [
        build_float_fcs(floats, keywords={"$SRC": "a|b", "$P2G": "2.5"}),
        build_fcs(floats.astype(">f4").tobytes(), names="ABC", n_events=N, byteord="4,3,2,1",
                  version="FCS3.0"),
        build_fcs(floats.astype("<f8").tobytes(), names="ABC", n_events=N, bits=64, datatype="D"),
        build_fcs(short.tobytes(), names="ABC", n_events=N, bits=16, datatype="I", byteord="2,1",
                  version="FCS2.0", keywords=ranges | {"$P1E": "4,0"}),
        build_fcs(short.tobytes(), names="ABC", n_events=None, bits=16, datatype="I", byteord="4,3,2,1",
                  version="FCS2.0", keywords=ranges),
        build_fcs(mixed, names="ABCD", n_events=N, bits=[8, 16, 24, 32], datatype="I",
                  keywords={f"$P{i}R": str(2 ** (8 * i)) for i in range(1, 5)}),
        build_fcs(int(packed, 2).to_bytes(len(packed) // 8, "big"), names="ABCD", n_events=N, bits=10,
                  datatype="I", byteord="4,3,2,1", keywords=ranges),
        build_fcs(parts.tobytes(), names="ABC", n_events=N, bits=[32, 32, 64], version="FCS3.2",
                  keywords={"$P2DATATYPE": "I", "$P3DATATYPE": "D"}),
    ]  # fmt: skip


def mutate(data: bytes, rng: np.random.Generator) -> bytes:
    """Damage HEADER and TEXT in one to three ways."""
    for _ in range(int(rng.integers(1, 4))):
        data = MUTATIONS[int(rng.integers(len(MUTATIONS)))](data, rng)
    return data


def _text_span(data: bytes) -> tuple[int, int]:
    fields = data[10:18].strip(), data[18:26].strip()
    if not all(word.isdigit() for word in fields):
        return 58, min(400, len(data))
    begin, end = (int(word) for word in fields)
    return min(begin, len(data) - 1), min(end + 1, len(data))


def _flip(data: bytes, rng: np.random.Generator) -> bytes:
    damaged = bytearray(data)
    for _ in range(int(rng.integers(1, 4))):
        place = int(rng.integers(0, max(58, _text_span(data)[1])))
        if place >= len(damaged):
            continue
        damaged[place] = int(rng.choice([0, 10, 32, 48, 49, 57, 65, 124, 255, int(rng.integers(256))]))
    return bytes(damaged)


def _shift_header(data: bytes, rng: np.random.Generator) -> bytes:
    at = 10 + 8 * int(rng.integers(0, 6))
    field_ = data[at : at + 8].strip()
    value = int(field_) if field_.isdigit() else 0
    value = int(rng.choice([0, value + 1, max(0, value - 1), value + 4, len(data), value * 2, 99_999_999]))
    return data[:at] + f"{min(value, 99_999_999):8d}".encode() + data[at + 8 :]


def _change_value(data: bytes, rng: np.random.Generator) -> bytes:
    """Replace the value of a keyword; TEXT and what follows move, and so do the offsets, or not."""
    begin, end = _text_span(data)
    words = data[begin:end].split(b"|")
    values = list(range(2, len(words) - 1, 2))
    if not values:
        return data
    at = int(rng.choice(values))
    choices = _NUMBERS + _WORDS
    words[at] = choices[int(rng.integers(len(choices)))].encode()
    return _replace_text(data, b"|".join(words), rng)


def _drop_or_double(data: bytes, rng: np.random.Generator) -> bytes:
    begin, end = _text_span(data)
    words = data[begin:end].split(b"|")
    keys = list(range(1, len(words) - 2, 2))
    if not keys:
        return data
    at = int(rng.choice(keys))
    kind = int(rng.integers(3))
    if kind == 0:
        del words[at : at + 2]
    elif kind == 1:
        words[at:at] = words[at : at + 2]
    else:
        words[at:at] = [words[at], str(rng.choice(_NUMBERS)).encode()]
    return _replace_text(data, b"|".join(words), rng)


def _replace_text(data: bytes, text: bytes, rng: np.random.Generator) -> bytes:
    begin, end = _text_span(data)
    longer = len(text) - (end - begin)
    if rng.random() < 0.5:
        # Keep everything in its place where there is room, as a careless editor does not.
        room = data[:begin] + text[: end - begin].ljust(end - begin) + data[end:]
        return room if longer <= 0 else data[:begin] + text + data[end:]
    moved = bytearray(data[:begin] + text + data[end:])
    for at, value in ((18, begin + len(text) - 1), *((a, _header(data, a) + longer) for a in (26, 34))):
        moved[at : at + 8] = f"{max(0, min(value, 99_999_999)):8d}".encode()
    return bytes(moved)


def _header(data: bytes, at: int) -> int:
    word = data[at : at + 8].strip()
    return int(word) if word.isdigit() else 0


def _cut(data: bytes, rng: np.random.Generator) -> bytes:
    return data[: int(rng.integers(0, len(data) + 1))]


def _grow(data: bytes, rng: np.random.Generator) -> bytes:
    return data + bytes(rng.integers(0, 256, int(rng.integers(1, 50)), dtype=np.uint8))


def _append_dataset(data: bytes, rng: np.random.Generator) -> bytes:
    del rng
    return data.replace(b"|$NEXTDATA|0|", f"|$NEXTDATA|{len(data)}|".encode()) + data


MUTATIONS: Final[tuple[Callable[[bytes, np.random.Generator], bytes], ...]] = (
    _flip, _flip, _shift_header, _shift_header, _change_value, _change_value, _change_value, _drop_or_double,
    _cut, _grow, _append_dataset,
)  # fmt: skip


def fuzz(seeds: Iterable[int]) -> Outcome:
    """Read one mutated file for every seed by both readers and compare."""
    outcome = Outcome()
    for seed in seeds:
        rng = np.random.default_rng(seed)
        bases = build_bases(rng)
        data = mutate(bases[int(rng.integers(len(bases)))], rng)
        _compare(data, seed, outcome)
    return outcome


def _compare(data: bytes, seed: int, outcome: Outcome) -> None:
    try:
        readings = [np.array(r, dtype=float) for r in read_plainly(data)]
    except UnreadableError:
        readings = []
    try:
        events = read_fcs(data, name="x.fcs").events
    except FcsReadError as error:
        outcome.counts["refused" if not readings else "refused, readable"] += 1
        if "\n" in str(error) or "x.fcs" not in str(error):
            outcome.misread.append(f"seed {seed}: unclear error {str(error)!r}")
        if readings:
            outcome.reasons[str(error)[:60]] += 1
        return
    same = [_same(events, reading) for reading in readings]
    if not any(same):
        outcome.misread.append(f"seed {seed}: read {events.shape}, independently {len(readings)} readings")
    elif len(readings) > 1:
        outcome.misread.append(f"seed {seed}: one of {len(readings)} readings was picked")
    else:
        outcome.counts["read"] += 1


def _same(events: Values, other: Values) -> bool:
    if len(events) == len(other) == 0:
        return True
    return events.shape == other.shape and bool(np.allclose(events, other, rtol=1e-12, atol=0))

"""The DATA segment of an FCS file: where it really lies, and its numbers on a linear scale."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from corelab.errors import FcsReadError
from corelab.ingest.fcs_segments import FcsSegments, Span

Events = npt.NDArray[np.floating[Any]]
Raw = bytes | memoryview

_FLOAT_BITS: Final = {"F": 32, "D": 64}
_MAX_CHANNELS: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """How one channel is stored: ``$PnB``, ``$PnR``, ``$PnE``, ``$PnG`` and its data type."""

    name: str
    label: str
    datatype: str
    bits: int
    upper: float
    decades: float
    log_offset: float
    gain: float

    @property
    def linear_upper(self) -> float:
        """Upper end of the range on the linear scale of the events."""
        if self.decades > 0:
            return float(10.0**self.decades * self.log_offset)
        return self.upper / self.gain


def parse_channels(segments: FcsSegments) -> tuple[Channel, ...]:
    """Read how each channel is stored.

    Raises
    ------
    FcsReadError
        If ``$PAR`` is no count, or a channel's width, range, amplification, gain or data type is
        missing, no number, or not one that FCS knows.
    """
    table = segments.lookup()
    count = _whole(table, "$PAR", segments.name)
    if not 1 <= count <= _MAX_CHANNELS:
        raise FcsReadError(f"$PAR {count}", place=f"{segments.name} TEXT", expected="1 to 10000")
    return tuple([_parse_channel(table, number, segments.name) for number in range(1, count + 1)])


def _parse_channel(table: Mapping[str, str], number: int, name: str) -> Channel:
    key = f"$P{number}"
    datatype = table.get(f"{key}DATATYPE", table["$DATATYPE"]).strip().upper()
    if datatype not in ("F", "D", "I"):
        raise FcsReadError(
            f"$DATATYPE {datatype!r} in channel {number}", place=f"{name} TEXT",
            expected="F, D or I", remedy="export the file as floating point list mode",
        )  # fmt: skip
    decades, offset = _parse_amplification(table.get(f"{key}E", "0,0"), f"{name} {key}E")
    detector = table.get(f"{key}N", "").strip() or f"P{number}"
    gain = _number(table.get(f"{key}G", "").strip() or "1", f"{name} {key}G")
    if detector.upper() == "TIME":  # its unit is $TIMESTEP; a gain there only repeats it
        gain = 1.0
    return Channel(
        name=detector,
        label=table.get(f"{key}S", "").strip(),
        datatype=datatype,
        bits=_check_bits(_FLOAT_BITS.get(datatype), table, key, name),
        upper=_number(table.get(f"{key}R", ""), f"{name} {key}R"),
        decades=decades,
        log_offset=offset,
        gain=gain if gain > 0 else 1.0,
    )


def _check_bits(expected: int | None, table: Mapping[str, str], key: str, name: str) -> int:
    bits = _whole(table, f"{key}B", name)
    if (expected is not None and bits != expected) or not 1 <= bits <= 64:
        raise FcsReadError(f"{key}B {bits}", place=f"{name} TEXT", expected=f"{expected or '1 to 64'} bits")
    return bits


def _parse_amplification(text: str, place: str) -> tuple[float, float]:
    """Read ``decades,offset``; an offset of 0 with decades stands for 1 (FCS 3.1, 3.2.20)."""
    words = text.split(",")
    if len(words) != 2:
        raise FcsReadError(f"{text!r}", place=place, expected="two numbers")
    decades, offset = (_number(word, place) for word in words)
    if decades < 0 or decades > 30 or offset < 0:
        raise FcsReadError(f"{text!r}", place=place, expected="decades and offset of 0 or more")
    return decades, offset if offset > 0 else 1.0


def _number(text: str, place: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise FcsReadError(f"{text!r}", place=place, expected="a number") from None
    if not np.isfinite(value):
        raise FcsReadError(f"{text!r}", place=place, expected="a finite number")
    return value


def _whole(table: Mapping[str, str], key: str, name: str) -> int:
    word = table.get(key, "").strip()
    if not (word.isascii() and word.isdigit() and len(word) < 19):
        raise FcsReadError(f"{key} {word!r}", place=f"{name} TEXT", expected="a whole number")
    return int(word)


def locate_data(segments: FcsSegments, channels: Sequence[Channel], *, n_bytes: int) -> tuple[Span, int]:
    """Decide where DATA lies and how many events it holds.

    HEADER and TEXT may disagree, and ends are often off by one. ``$TOT`` times the bytes of an
    event decides: the claim that has this length is right. Without ``$TOT`` (FCS 2.0 allows it) both
    claims must agree and hold whole events.

    Raises
    ------
    FcsReadError
        If no claim agrees with ``$TOT``, or DATA does not lie inside the file.
    """
    claims = [claim for claim in (segments.data_header, segments.data_text) if claim is not None]
    inside = [claim for claim in claims if claim.begin < n_bytes]
    event_bits = sum(channel.bits for channel in channels)
    table = segments.lookup()
    if "$TOT" not in table:
        return _locate_untold(inside, event_bits, segments, n_bytes)
    total = _whole(table, "$TOT", segments.name)
    if total == 0:
        return Span(begin=n_bytes, end=n_bytes), 0
    needed = -(-total * event_bits // 8)
    fitting = {claim.begin for claim in inside if _fits(claim, needed, event_bits, n_bytes)}
    if len(fitting) == 1:
        begin = fitting.pop()
        return Span(begin=begin, end=begin + needed), total
    if fitting:
        first, second = sorted(fitting)
        raise FcsReadError(
            f"DATA begins at byte {first} and at byte {second}, by HEADER and by TEXT", place=segments.name,
            expected="one place", remedy="export the file again",
        )  # fmt: skip
    raise _misfit(segments, claims, total, event_bits, n_bytes)


def _fits(claim: Span, needed: int, event_bits: int, n_bytes: int) -> bool:
    """Tell whether a claim has the needed length; an end may be off by less than one event."""
    slack = max(1, event_bits // 8 - 1)
    enough = claim.begin + needed <= n_bytes
    return enough and claim.begin >= 58 and -1 <= claim.length - needed <= slack


def _locate_untold(
    claims: Sequence[Span], event_bits: int, segments: FcsSegments, n_bytes: int
) -> tuple[Span, int]:
    lengths = {(claim.begin, claim.length) for claim in claims if claim.end <= n_bytes}
    if len(lengths) != 1:
        raise FcsReadError("no $TOT and no agreed DATA offsets", place=segments.name)
    begin, length = lengths.pop()
    total, rest = divmod(length * 8, event_bits)
    if rest >= 8 and rest != event_bits - 8:
        raise FcsReadError(f"DATA of {length} bytes", place=segments.name, expected="whole events")
    return Span(begin=begin, end=begin + -(-total * event_bits // 8)), total


def _misfit(
    segments: FcsSegments, claims: Sequence[Span], total: int, event_bits: int, n_bytes: int
) -> FcsReadError:
    holds = sorted({(min(c.end, n_bytes) - c.begin) * 8 // event_bits for c in claims})
    found = " or ".join(str(max(0, number)) for number in holds) or "no"
    return FcsReadError(
        f"DATA holds {found} events, $TOT says {total}", place=segments.name,
        expected="one number of events", remedy="the file is cut short or damaged; export it again",
    )  # fmt: skip


def parse_byte_order(text: str, place: str) -> str:
    """Return ``<`` or ``>``.

    Raises
    ------
    FcsReadError
        For a mixed order (``3,4,1,2``), which no present instrument writes.

    Examples
    --------
    >>> parse_byte_order("4,3,2,1", "x.fcs")
    '>'
    """
    words = [word.strip() for word in text.split(",")]
    ascending = [str(number) for number in range(1, len(words) + 1)]
    if words == ascending:
        return "<"
    if words == ascending[::-1]:
        return ">"
    raise FcsReadError(f"$BYTEORD {text!r}", place=place, expected="1,2,3,4 or 4,3,2,1")


def parse_events(raw: Raw, channels: Sequence[Channel], *, n_events: int, order: str, name: str) -> Events:
    """Decode DATA to linear values ``(n_events, n_channels)``, which are not looked at yet.

    Integers are masked to ``$PnR``, log amplification is expanded as
    ``10**(decades * x / range) * offset`` and linear values are divided by their gain: float64. Where
    the file holds floating point numbers as they are, these are seen where they lie, in their own width and
    order of bytes.

    Raises
    ------
    FcsReadError
        If integers are packed across bytes in little-endian order, or a range is not positive where
        the amplification is logarithmic.

    References
    ----------
    Spidlen et al. 2010, Data File Standard for Flow Cytometry, version FCS 3.1.
    """
    _check_coding(channels, order, name)
    if n_events == 0:
        return np.empty((0, len(channels)))
    if is_plain(channels):
        return _view(raw, channels, n_events, order)
    with np.errstate(over="ignore", invalid="ignore"):  # what is no number is refused when it is looked at
        events = _decode(raw, channels, n_events, order)
        for column, channel in enumerate(channels):
            _make_linear(events[:, column], channel)
    return events


def is_plain(channels: Sequence[Channel]) -> bool:
    """Tell whether every number is stored as it counts: floating point of one width, without gain."""
    kinds = {(channel.datatype, channel.bits) for channel in channels}
    is_float = len(kinds) == 1 and channels[0].datatype in _FLOAT_BITS
    return is_float and all(channel.decades == 0 and channel.gain == 1.0 for channel in channels)


def _view(raw: Raw, channels: Sequence[Channel], n_events: int, order: str) -> Events:
    """View plain numbers where they lie, even across words or turned round."""
    width = channels[0].bits // 8
    stored = np.frombuffer(raw, dtype=np.uint8)
    table: Events = stored.view(f"{order}f{width}").reshape(n_events, len(channels))
    return table


def _make_linear(values: npt.NDArray[np.float64], channel: Channel) -> None:
    """Expand log amplification or divide by the gain, in place."""
    if channel.decades > 0:
        np.multiply(values, channel.decades / channel.upper, out=values)
        np.multiply(np.power(10.0, values), channel.log_offset, out=values)
    elif channel.gain != 1.0:
        np.divide(values, channel.gain, out=values)


def _check_coding(channels: Sequence[Channel], order: str, name: str) -> None:
    """Refuse what cannot be decoded beyond doubt."""
    for channel in channels:
        if channel.bits % 8 and order == "<":
            raise FcsReadError(
                f"integers of {channel.bits} bits packed in little-endian order",
                place=f"{name} DATA", expected="whole bytes", remedy="export the file again",
            )  # fmt: skip
        if channel.decades > 0 and channel.upper <= 0:
            raise FcsReadError(
                f"range {channel.upper:g} of {channel.name}", place=f"{name} TEXT", expected="more than 0"
            )


def _decode(raw: Raw, channels: Sequence[Channel], n_events: int, order: str) -> npt.NDArray[np.float64]:
    kinds = {(channel.datatype, channel.bits) for channel in channels}
    if len(kinds) == 1 and next(iter(kinds))[0] in _FLOAT_BITS:
        return _view(raw, channels, n_events, order).astype(np.float64)
    if any(channel.bits % 8 for channel in channels):
        return _decode_packed_bits(raw, channels, n_events)
    return _decode_records(raw, channels, n_events, order)


def _decode_records(
    raw: Raw, channels: Sequence[Channel], n_events: int, order: str
) -> npt.NDArray[np.float64]:
    """Decode events whose channels take whole bytes, each in its own width."""
    table = np.frombuffer(raw, dtype=np.uint8).reshape(n_events, -1)
    events = np.empty((len(channels), n_events)).T
    at = 0
    for column, channel in enumerate(channels):
        width = channel.bits // 8
        part = np.ascontiguousarray(table[:, at : at + width])
        at += width
        if channel.datatype == "I":
            events[:, column] = _mask(_whole_numbers(part, order), channel)
        else:
            events[:, column] = part.view(f"{order}f{width}")[:, 0]
    return events


def _whole_numbers(part: npt.NDArray[np.uint8], order: str) -> npt.NDArray[np.uint64]:
    """Widen integers of 1 to 8 bytes, odd widths among them, to unsigned 64 bits."""
    wide = np.zeros((part.shape[0], 8), dtype=np.uint8)
    if order == "<":
        wide[:, : part.shape[1]] = part
        return wide.view("<u8")[:, 0]
    wide[:, 8 - part.shape[1] :] = part
    return wide.view(">u8")[:, 0].astype(np.uint64)


def _decode_packed_bits(raw: Raw, channels: Sequence[Channel], n_events: int) -> npt.NDArray[np.float64]:
    """Decode integers that are packed without regard to bytes (9 or 10 bits, say)."""
    total = n_events * sum(channel.bits for channel in channels)
    bytewise = np.frombuffer(raw, dtype=np.uint8)
    bits = np.unpackbits(bytewise, count=total, bitorder="big")
    table = bits.reshape(n_events, -1)
    events = np.empty((n_events, len(channels)))
    at = 0
    for column, channel in enumerate(channels):
        weights = np.left_shift(np.uint64(1), np.arange(channel.bits, dtype=np.uint64))
        part = table[:, at : at + channel.bits].astype(np.uint64)
        events[:, column] = _mask(part @ weights[::-1], channel)
        at += channel.bits
    return events


def _mask(values: npt.NDArray[np.uint64], channel: Channel) -> npt.NDArray[np.float64]:
    """Keep the bits that ``$PnR`` allows; a range that is no power of two counts as the next one."""
    if channel.upper < 1 or channel.upper >= 2.0**channel.bits:
        return values.astype(np.float64)
    keep = (1 << max(0, int(np.ceil(np.log2(channel.upper))))) - 1
    return (values & np.uint64(keep)).astype(np.float64)

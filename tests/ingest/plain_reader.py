"""A second reader of FCS, slow and literal, written against the standard and sharing no code with ours.

It gives every reading that a file allows: HEADER and TEXT may place DATA differently, and then a reader
that picks one without a reason misreads.
"""

import math
import struct


class UnreadableError(Exception):
    """The file has no reading at all."""


def read_plainly(data: bytes) -> list[list[tuple[float, ...]]]:
    """Return all different readings of a file as lists of events, or raise."""
    try:
        return _read(data)
    except (ValueError, KeyError, IndexError, struct.error, OverflowError, ZeroDivisionError) as error:
        raise UnreadableError(str(error)) from error


def _read(data: bytes) -> list[list[tuple[float, ...]]]:
    if data[:6] not in (b"FCS2.0", b"FCS3.0", b"FCS3.1", b"FCS3.2"):
        raise UnreadableError("version")
    numbers = [_offset(data[at : at + 8]) for at in range(10, 42, 8)]
    if not 0 < numbers[0] <= numbers[1] < len(data):
        raise UnreadableError("TEXT")
    table = _parse_all(data, numbers[0], numbers[1])
    if table.get("$MODE", "L").strip().upper() not in ("L", ""):
        raise UnreadableError("mode")
    channels = [_channel(table, i) for i in range(1, int(table["$PAR"]) + 1)]
    little = _is_little(table["$BYTEORD"])
    bits = sum(channel[1] for channel in channels)
    readings: list[list[tuple[float, ...]]] = []
    for start, stop in sorted({(numbers[2], numbers[3]), _span(table, "$BEGINDATA", "$ENDDATA")}):
        total = _count_events(table, (start, stop), bits, len(data))
        if total is None:
            continue
        part = data[start : start + -(-total * bits // 8)]
        events = _decode(part, channels, total, little=little)
        if events not in readings:
            readings.append(events)
    if not readings:
        raise UnreadableError("DATA")
    return readings


def _is_little(text: str) -> bool:
    order = [int(word) for word in text.split(",")]
    if order not in (sorted(order), sorted(order, reverse=True)):
        raise UnreadableError("byte order")
    return order == sorted(order)


def _parse_all(data: bytes, begin: int, last: int) -> dict[str, str]:
    """Parse TEXT and, where there is one, the supplemental TEXT."""
    table = _parse(data[begin : last + 1])
    first, end = _span(table, "$BEGINSTEXT", "$ENDSTEXT")
    inside = 0 < first < end < len(data) and not begin <= first <= last
    if inside and data[first] == data[begin]:
        table = _parse(data[first : end + 1]) | table
    return table


def _span(table: dict[str, str], begin: str, end: str) -> tuple[int, int]:
    words = table.get(begin, "").strip(), table.get(end, "").strip()
    if not all(word.isdigit() for word in words):
        return 0, 0
    return int(words[0]), int(words[1])


def _count_events(table: dict[str, str], claim: tuple[int, int], bits: int, n_bytes: int) -> int | None:
    """Return the events that a claim holds, None where it cannot be right."""
    start, stop = claim
    if "$TOT" not in table:
        return (stop - start + 1) * 8 // bits if 0 < start <= stop < n_bytes else None
    total = int(table["$TOT"])
    need = -(-total * bits // 8)
    if total == 0:
        return 0
    # An end may point one byte short or past the last event, never into it.
    fits = start >= 58 and start + need <= n_bytes
    return total if fits and -1 <= stop - start + 1 - need <= max(1, bits // 8 - 1) else None


def _offset(field: bytes) -> int:
    text = field.strip(b" \0")
    return int(text) if text else 0


def _parse(raw: bytes) -> dict[str, str]:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    mark = text[0]
    words = _walk(text, mark)
    if len(words) % 2 or any(mark in word or not word.strip() for word in words[::2]):
        rest = text[1:].rstrip("\0 \r\n\t") if mark not in "\0 \r\n\t" else text[1:]
        words = rest[: -1 if rest.endswith(mark) else None].split(mark)
        if len(words) % 2 or not all(word.strip() for word in words[::2]):
            raise UnreadableError("TEXT pairs")
    table: dict[str, str] = {}
    for key, value in zip(words[::2], words[1::2], strict=True):
        table.setdefault(key.strip().upper(), value)
    return table


def _walk(text: str, mark: str) -> list[str]:
    """Go through TEXT sign by sign; a mark followed by a mark is one inside the word."""
    words, word, at = [], "", 1
    end = len(text)
    while mark not in "\0 \r\n\t" and end > 1 and text[end - 1] in "\0 \r\n\t":
        end -= 1
    if text[end - 1] == mark and end > 1:  # the mark that closes TEXT
        end -= 1
    while at < end:
        if text[at] != mark:
            word += text[at]
        elif at + 1 < end and text[at + 1] == mark:
            word += mark
            at += 1
        else:
            words.append(word)
            word = ""
        at += 1
    return [*words, word]


def _channel(table: dict[str, str], i: int) -> tuple[str, int, float, float, float, float, str]:
    """Return data type, bits, range, decades, offset, gain and name."""
    kind = table.get(f"$P{i}DATATYPE", table["$DATATYPE"]).strip().upper()
    bits = int(table[f"$P{i}B"])
    if kind not in "IFD" or bits != {"F": 32, "D": 64}.get(kind, bits):
        raise UnreadableError("data type")
    decades, offset = (float(word) for word in table.get(f"$P{i}E", "0,0").split(","))
    gain = float(table.get(f"$P{i}G", "").strip() or 1)
    name = table.get(f"$P{i}N", "").strip()
    return kind, bits, float(table[f"$P{i}R"]), decades, offset or 1.0, gain, name


def _decode(
    raw: bytes, channels: list[tuple[str, int, float, float, float, float, str]], total: int, *, little: bool
) -> list[tuple[float, ...]]:
    events, at = [], 0
    whole = int.from_bytes(raw, "big")
    for _ in range(total):
        event = []
        for kind, bits, upper, decades, offset, gain, name in channels:
            if bits % 8:
                if little:
                    raise UnreadableError("packed little-endian")
                value: float = (whole >> (len(raw) * 8 - at - bits)) & ((1 << bits) - 1)
            else:
                part = raw[at // 8 : (at + bits) // 8] if at % 8 == 0 else _unaligned(whole, raw, at, bits)
                if kind == "I":
                    value = int.from_bytes(part, "little" if little else "big")
                else:
                    value = struct.unpack(("<" if little else ">") + {"F": "f", "D": "d"}[kind], part)[0]
            at += bits
            if kind == "I" and 1 <= upper < 2**bits:
                value = int(value) & ((1 << math.ceil(math.log2(upper))) - 1)
            event.append(_scale(value, upper, decades, offset, gain if name.upper() != "TIME" else 1.0))
        events.append(tuple(event))
    return events


def _unaligned(whole: int, raw: bytes, at: int, bits: int) -> bytes:
    value = (whole >> (len(raw) * 8 - at - bits)) & ((1 << bits) - 1)
    return value.to_bytes(bits // 8, "big")


def _scale(value: float, upper: float, decades: float, offset: float, gain: float) -> float:
    if decades > 0:
        return 10 ** (decades * value / upper) * offset
    return value / gain if gain > 0 else float(value)

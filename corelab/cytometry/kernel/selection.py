"""Compiled loops for medians of many columns in many populations, nested ones in one pass.

Importing this module imports Numba. Each value falls into one of ``2 * HALF`` rising bins; counts of bins
say in which bin a rank lies, and only the values of that bin are looked at again.
"""

from typing import Any, Final

import numpy as np

from corelab.cytometry.kernel.loops import compiled, entered, fill_product, fill_recorded

LOOPS: Final = "c69fe0d04b9a385bc8b1138097c480c528aff1b83535274e51e13a792f6de027"
"""SHA-256 of ``loops.py``: Numba compiles again when this file changes, but does not look at that one."""

BLOCK: Final = 256
OCTAVES: Final = 20
HALF: Final = 64 * OCTAVES
NO_NUMBER: Final = 2 * HALF
"""The bin of NaN."""

N_BINS: Final = NO_NUMBER + 1
PRODUCT: Final = 1
_SHIFT: Final = 46
_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)


@entered
def find_patterns(words: Any, ids: Any, known: Any) -> int:
    """Give every event the number of its set of populations; return how many there are, or -1 for too many.

    ``ids`` ``(n_events,)`` and ``known`` ``(most, n_words)`` are filled; the empty set has the number 0.
    """
    n_words, most = words.shape[1], len(known)
    table = np.zeros(8 * most, np.int64)
    mask = np.uint64(8 * most - 1)
    known[0, :] = np.uint64(0)
    found, latest = 1, 0
    for i in range(len(words)):
        is_same, is_empty = True, True
        for w in range(n_words):
            is_same &= words[i, w] == known[latest, w]
            is_empty &= words[i, w] == 0
        if is_same or is_empty:
            latest = latest if is_same else 0
            ids[i] = latest
            continue
        mixed = np.uint64(0)
        for w in range(n_words):
            mixed = (mixed ^ words[i, w]) * _GOLDEN
        at = (mixed >> np.uint64(40)) & mask
        while True:
            latest = table[at]
            if latest == 0:
                if found == most:
                    return -1
                known[found, :] = words[i]
                table[at] = latest = found
                found += 1
                break
            is_same = True
            for w in range(n_words):
                is_same &= words[i, w] == known[latest, w]
            if is_same:
                break
            at = (at + np.uint64(1)) & mask
        ids[i] = latest
    return found


@entered
def bin_rows(rows: Any, loads: Any, table: Any, terms: Any, wanted: Any, offsets: Any, bins: Any) -> None:
    """Find the bin of every value of the wanted columns: ``bins`` is ``(n_wanted, n_events)``."""
    columns = np.zeros((len(table), BLOCK))
    shifted = np.zeros(BLOCK)
    numbers = shifted.view(np.int64)
    n_events = bins.shape[1]
    for first in range(0, n_events, BLOCK):
        count = min(BLOCK, n_events - first)
        fill_recorded(rows, first, count, loads, columns)
        for m in range(len(wanted)):
            slot = wanted[m]
            x, out, offset = columns[slot], bins[m, first : first + count], offsets[m]
            if table[slot, 0] == PRODUCT:
                fill_product(columns, terms, table[slot, 1], table[slot, 2], x, count)
            shifted[0] = offset
            base = numbers[0] >> _SHIFT
            for k in range(count):
                shifted[k] = abs(x[k]) + offset
            for k in range(count):
                number = min((numbers[k] >> _SHIFT) - base, HALF - 1)
                place = HALF + number if x[k] >= 0 else HALF - 1 - number
                out[k] = np.uint16(place if x[k] == x[k] else NO_NUMBER)


@compiled
def _read(rows: Any, i: int, channel: int) -> Any:
    return np.float64(rows[0][i, channel]) if len(rows[0]) > 0 else rows[1][i, channel]


@compiled
def _compute_value(rows: Any, i: int, loads: Any, table: Any, terms: Any, slot: int) -> Any:
    """Compute one value as `bin_rows` does."""
    channels, factors = loads
    term_loads, values = terms
    if table[slot, 0] != PRODUCT:
        return _read(rows, i, channels[slot]) * factors[slot]
    total = 0.0
    for t in range(table[slot, 1], table[slot, 2]):
        load = term_loads[t]
        part = (_read(rows, i, channels[load]) * factors[load]) * values[t]
        total = part if t == table[slot, 1] else total + part
    return total


@entered
def count_bins(bins: Any, ids: Any, counts: Any) -> None:
    """Add the events of every bin of every set of populations to ``counts`` ``(n_sets, n_bins)``."""
    for i in range(len(bins)):
        counts[ids[i], bins[i]] += 1


@entered
def sum_sets(counts: Any, members: Any, n_sets: int, out: Any) -> None:
    """Add up sets of populations to populations: ``members`` ``(n_sets, n_populations)`` says which."""
    out[:, :] = 0
    for s in range(1, n_sets):
        for p in range(len(out)):
            if members[s, p]:
                row, source = out[p], counts[s]
                for b in range(N_BINS):
                    row[b] += source[b]


@entered
def aim_at_medians(counts: Any, ranges: Any, ranks: Any) -> None:
    """Find the bins in which the middle ranks of every population lie.

    ``ranges`` ``(n_populations, 4)``: first and last bin, twice (the second pair empty). ``ranks``
    ``(n_populations, 3)``: the two middle ranks counted within those bins, and how many events these hold;
    the first is -1 where there is no median (no event, or one that is no number).
    """
    for p in range(len(counts)):
        row = counts[p]
        total = 0
        for b in range(NO_NUMBER):
            total += row[b]
        ranges[p, 0], ranges[p, 1], ranges[p, 2], ranges[p, 3] = 0, -1, 0, -1
        ranks[p, 0], ranks[p, 1], ranks[p, 2] = -1, -1, 0
        if total == 0 or row[NO_NUMBER] > 0:
            continue
        low, high = (total - 1) // 2, total // 2
        before, b = 0, 0
        while before + row[b] <= low:
            before += row[b]
            b += 1
        within, last = row[b], b
        while before + within <= high:
            last += 1
            within += row[last]
        ranges[p, 0], ranges[p, 1] = b, last
        ranks[p, 0], ranks[p, 1], ranks[p, 2] = low - before, high - before, within


@compiled
def _nearest(edges: Any, b: int, centre: float) -> Any:
    """Return the least distance of a bin from the centre, a little less than it is."""
    distance = max(edges[b] - centre, centre - edges[b + 1])
    return max(0.0, distance - 1e-9 * (abs(edges[b]) + abs(edges[b + 1]) + abs(centre)))


@compiled
def _farthest(edges: Any, b: int, centre: float) -> Any:
    distance = max(centre - edges[b], edges[b + 1] - centre)
    return distance + 1e-9 * (abs(edges[b]) + abs(edges[b + 1]) + abs(centre))


@entered
def aim_at_spreads(counts: Any, edges: Any, centres: Any, ranges: Any, ranks: Any) -> None:
    """Find the bins in which the middle distances from the medians lie; as `aim_at_medians`.

    ``edges`` ``(n_bins,)`` are the ends of the bins, the outermost infinite.
    """
    for p in range(len(counts)):
        row, centre = counts[p], centres[p]
        ranges[p, 0], ranges[p, 1], ranges[p, 2], ranges[p, 3] = 0, -1, 0, -1
        ranks[p, 0], ranks[p, 1], ranks[p, 2] = -1, -1, 0
        if not abs(centre) < np.inf:
            continue
        first, last, total = NO_NUMBER, -1, 0
        for b in range(NO_NUMBER):
            if row[b] > 0:
                first, last = min(first, b), b
                total += row[b]
        low, high = (total - 1) // 2, total // 2
        middle = first
        while middle < last and edges[middle + 1] <= centre:
            middle += 1
        # From the centre outwards: by the farthest end of a bin the events that are surely reached,
        reached, limit = 0, 0.0
        left, right = middle, middle + 1
        while reached <= high:
            go_left = left >= first
            if go_left and right <= last:
                go_left = _farthest(edges, left, centre) <= _farthest(edges, right, centre)
            b = left if go_left else right
            limit = max(limit, _farthest(edges, b, centre))
            reached += row[b]
            left, right = (left - 1, right) if go_left else (left, right + 1)
        # and by the nearest end the distance below which there are too few.
        reached, floor = 0, 0.0
        left, right = middle, middle + 1
        while reached <= low:
            go_left = left >= first
            if go_left and right <= last:
                go_left = _nearest(edges, left, centre) <= _nearest(edges, right, centre)
            b = left if go_left else right
            floor = max(floor, _nearest(edges, b, centre))
            reached += row[b]
            left, right = (left - 1, right) if go_left else (left, right + 1)
        inner, within = 0, 0
        ranges[p, 0], ranges[p, 2] = NO_NUMBER, NO_NUMBER
        for b in range(first, last + 1):
            if _farthest(edges, b, centre) < floor:
                inner += row[b]
            elif _nearest(edges, b, centre) <= limit:
                within += row[b]
                side = 0 if b <= middle else 2
                ranges[p, side] = min(ranges[p, side], b)
                ranges[p, side + 1] = b
        ranks[p, 0], ranks[p, 1], ranks[p, 2] = low - inner, high - inner, within


@compiled
def _is_within(b: int, span: Any) -> Any:
    return (b >= span[0] and b <= span[1]) or (b >= span[2] and b <= span[3])


@entered
def mark_needed(ranges: Any, members: Any, n_sets: int, needed: Any) -> None:
    """Mark the bins of every set of populations of which a value is wanted."""
    needed[:, :] = 0
    for s in range(1, n_sets):
        for p in range(len(ranges)):
            if members[s, p]:
                for side in (0, 2):
                    for b in range(ranges[p, side], ranges[p, side + 1] + 1):
                        needed[s, b] = 1


@entered
def collect_values(  # arrays one by one, so that each keeps its type
    rows: Any, loads: Any, table: Any, terms: Any, slot: int, bins: Any, ids: Any, needed: Any, lists: Any,
    ranges: Any, centres: Any, starts: Any, values: Any,
) -> None:  # fmt: skip
    """Collect the values in wanted bins, or their distances from ``centres`` where there are any.

    ``lists`` ``(n_sets, n_populations)`` holds the populations of every set, then -1. Population ``p`` writes
    to ``values`` from ``starts[p]`` on, which is moved.
    """
    has_centres = len(centres) > 0
    for i in range(len(bins)):
        s, b = ids[i], bins[i]
        if not needed[s, b]:
            continue
        value = _compute_value(rows, i, loads, table, terms, slot)
        for q in range(len(ranges)):
            p = lists[s, q]
            if p < 0:
                break
            if _is_within(b, ranges[p]):
                values[starts[p]] = abs(value - centres[p]) if has_centres else value
                starts[p] += 1


@compiled
def _select(values: Any, rank: int) -> Any:
    """Return the value of a rank (from 0); smaller ones are before it afterwards, greater ones behind."""
    low, high = 0, len(values) - 1
    while low < high:
        pivot = values[(low + high) // 2]
        i, j = low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if rank <= j:
            high = j
        elif rank >= i:
            low = i
        else:
            break
    return values[rank]


@entered
def pick_middles(values: Any, ranks: Any, out: Any) -> None:
    """Take the mean of the two middle values of each population; NaN where there is none."""
    start = 0
    for p in range(len(ranks)):
        own = values[start : start + ranks[p, 2]]
        start += ranks[p, 2]
        if ranks[p, 0] < 0:
            out[p] = np.nan
            continue
        one = _select(own, ranks[p, 0])
        other = one
        if ranks[p, 1] > ranks[p, 0]:
            other = own[ranks[p, 1]]
            for i in range(ranks[p, 1] + 1, len(own)):
                other = min(other, own[i])
        out[p] = (one + other) / 2.0

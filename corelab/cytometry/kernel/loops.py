"""Compiled loops over one block of events, each over a few arrays.

Importing this module imports Numba: do it where events are gated. Nothing here contracts or reorders
arithmetic, so that a value has the same bits as from NumPy.
"""

from typing import Any, Final

import numpy as np
from numba import njit

ALL_OF: Final = 4
_MAGNITUDE: Final = 0x7FFF_FFFF_FFFF_FFFF
_SHIFT: Final = 44

compiled = njit(error_model="numpy", boundscheck=False, no_cpython_wrapper=True, no_cfunc_wrapper=True)
"""A loop that only compiled functions call."""


def entered(function: Any) -> Any:
    """Compile a function that Python calls; its machine code is kept between processes where it can be."""
    try:
        return njit(cache=True, error_model="numpy", boundscheck=False)(function)
    except RuntimeError:  # neither the package's folder nor the person's own can be written to
        return njit(error_model="numpy", boundscheck=False)(function)


@compiled
def fill_columns(rows: Any, first: int, count: int, loads: Any, columns: Any) -> None:
    """Turn a block of rows into columns of doubles; ``loads`` says which and by what they are multiplied."""
    channels, factors = loads
    for i in range(len(channels)):
        # A slice spares the test of each index that a sum of two would need.
        recorded, factor, column = rows[first : first + count, channels[i]], factors[i], columns[i]
        for k in range(count):
            column[k] = np.float64(recorded[k]) * factor


@compiled
def fill_recorded(rows: Any, first: int, count: int, loads: Any, columns: Any) -> None:
    """Turn a block of rows into columns of doubles; of the two kinds of rows one is there."""
    if len(rows[0]) > 0:
        fill_columns(rows[0], first, count, loads, columns)
    else:
        fill_columns(rows[1], first, count, loads, columns)


@compiled
def fill_product(columns: Any, terms: Any, start: int, stop: int, out: Any, count: int) -> None:
    """Add up detectors times their numbers of the inverse, in the order of the matrix."""
    loads, values = terms
    for k in range(count):
        out[k] = 0.0
    if start == stop:
        return
    one, v = columns[loads[start]], values[start]
    for k in range(count):
        out[k] = one[k] * v
    i = start + 1
    while i + 4 <= stop:
        a, b, c, d = (
            columns[loads[i]], columns[loads[i + 1]], columns[loads[i + 2]], columns[loads[i + 3]],
        )  # fmt: skip
        p, q, r, s = values[i], values[i + 1], values[i + 2], values[i + 3]
        for k in range(count):
            out[k] = (((out[k] + a[k] * p) + b[k] * q) + c[k] * r) + d[k] * s
        i += 4
    while i < stop:
        one, v = columns[loads[i]], values[i]
        for k in range(count):
            out[k] = out[k] + one[k] * v
        i += 1


@compiled
def mark_far(values: Any, numbers: Any, reach: Any, count: int, unsure: Any) -> None:
    """Mark values that are not finite or lie beyond the reach of the tables."""
    limit, limit_bits = reach
    beyond = np.int64(0)
    for k in range(count):
        beyond |= limit_bits - (numbers[k] & _MAGNITUDE)
    if beyond < 0:
        for k in range(count):
            if not abs(values[k]) <= limit:
                unsure[k] = 1


@compiled
def fill_ratio(x: Any, y: Any, numbers: Any, out: Any, count: int) -> None:
    """Compute ``a (x - b) / (y - c)``, NaN where the denominator is zero."""
    a, b, c = numbers[0], numbers[1], numbers[2]
    for k in range(count):
        below = y[k] - c
        out[k] = np.nan if below == 0 else a * ((x[k] - b) / below)


@compiled
def keep_one(x: Any, low: float, high: float, parent: Any, out: Any, bit: Any, count: int) -> int:
    """Mark the events of a parent within an interval; return how many."""
    zero, kept = np.uint64(0), 0
    for k in range(count):
        hit = (x[k] >= low) & (x[k] <= high) & (parent[k] != zero)
        out[k] = bit if hit else zero
        kept += 1 if hit else 0
    return kept


@compiled
def keep_two(x: Any, y: Any, box: Any, parent: Any, out: Any, bit: Any, count: int) -> int:
    """Mark the events of a parent within a rectangle; return how many."""
    low_x, high_x, low_y, high_y = box[0, 0], box[0, 1], box[1, 0], box[1, 1]
    zero, kept = np.uint64(0), 0
    for k in range(count):
        inside = (x[k] >= low_x) & (x[k] <= high_x) & (y[k] >= low_y) & (y[k] <= high_y)
        hit = inside & (parent[k] != zero)
        out[k] = bit if hit else zero
        kept += 1 if hit else 0
    return kept


@compiled
def keep_four(
    x: Any, y: Any, boxes: Any, parent: Any, packed: Any, bit: Any, totals: Any, count: int
) -> None:
    """Note the events of a parent within four rectangles on the same axes, which are parents of none."""
    zero = np.uint64(0)
    for i in range(4):
        low_x, high_x, low_y, high_y = (
            boxes[2 * i, 0],
            boxes[2 * i, 1],
            boxes[2 * i + 1, 0],
            boxes[2 * i + 1, 1],
        )
        own, kept = bit << np.uint64(i), 0
        for k in range(count):
            inside = (x[k] >= low_x) & (x[k] <= high_x) & (y[k] >= low_y) & (y[k] <= high_y)
            hit = inside & (parent[k] != zero)
            packed[k] = packed[k] | (own if hit else zero)
            kept += 1 if hit else 0
        totals[i] += kept


@compiled
def narrow(x: Any, low: float, high: float, out: Any, count: int) -> None:
    """Keep of marked events those within an interval."""
    zero = np.uint64(0)
    for k in range(count):
        out[k] = out[k] if (x[k] >= low) & (x[k] <= high) else zero


@compiled
def turn(out: Any, parent: Any, bit: Any, count: int) -> None:
    """Take the events of the parent that were not marked instead of those that were."""
    zero = np.uint64(0)
    for k in range(count):
        out[k] = bit if (out[k] == zero) & (parent[k] != zero) else zero


@compiled
def count_marked(marked: Any, count: int) -> int:
    """Count marked events."""
    kept = 0
    for k in range(count):
        kept += 1 if marked[k] != 0 else 0
    return kept


@compiled
def mark_band(x: Any, low: float, high: float, unsure: Any, count: int) -> None:
    """Mark events within an interval as unsure; hardly ever is there one."""
    hits = 0
    for k in range(count):
        hits += 1 if (x[k] >= low) & (x[k] <= high) else 0
    if hits > 0:
        for k in range(count):
            if (x[k] >= low) & (x[k] <= high):
                unsure[k] = 1


@compiled
def place_straight(x: Any, order: Any, numbers: Any, out: Any, count: int) -> None:
    """Bring listed events onto an axis that is linear; ``x / 1 + 0`` where it has no scale at all."""
    if numbers[0] == 0.0 and numbers[1] == 1.0:
        for i in range(count):
            out[i] = x[order[i]]
    else:
        for i in range(count):
            out[i] = (x[order[i]] + numbers[0]) / numbers[1]


@compiled
def place_by_table(x: Any, order: Any, axis: Any, offset: float, pieces: Any, out: Any, count: int) -> None:
    """Bring listed events onto the axis of a scale by its table of straight pieces."""
    shifted = np.empty(count)
    begin = np.empty(count)
    numbers, begin_bits = shifted.view(np.int64), begin.view(np.int64)
    zero, base, lowest, highest = axis[2], axis[3], axis[4], axis[5]
    for i in range(count):
        shifted[i] = abs(x[order[i]]) + offset
    for i in range(count):
        begin_bits[i] = (numbers[i] >> _SHIFT) << _SHIFT
    for i in range(count):
        number = (numbers[i] >> _SHIFT) - base
        piece = zero + number if x[order[i]] >= 0 else zero - 1 - number
        piece = min(max(piece, lowest), highest)
        out[i] = pieces[piece, 0] + pieces[piece, 1] * (shifted[i] - begin[i])


@compiled
def cross(x: Any, y: Any, edge: Any, odd: Any, near: Any, count: int) -> None:
    """Count for each point how often a ray to the right crosses one edge, and whether it is near its line."""
    x1, y1, x2, y2, slack = edge[0], edge[1], edge[2], edge[3], edge[4]
    dx, dy = x2 - x1, y2 - y1
    rises = y2 > y1
    for i in range(count):
        side = dx * (y[i] - y1) - (x[i] - x1) * dy
        crosses = (y1 <= y[i]) != (y2 <= y[i])
        odd[i] ^= 1 if crosses & ((side > 0) == rises) else 0
        near[i] |= 1 if abs(side) <= slack else 0


@compiled
def touches(x: float, y: float, edges: Any, errors: Any) -> bool:
    """Tell whether a point lies on an edge, or too near to one for what is known of the point."""
    for j in range(len(edges)):
        x1, y1, x2, y2 = edges[j, 0], edges[j, 1], edges[j, 2], edges[j, 3]
        side = (x2 - x1) * (y - y1) - (x - x1) * (y2 - y1)
        within_x = (x >= min(x1, x2) - errors[0]) & (x <= max(x1, x2) + errors[0])
        within_y = (y >= min(y1, y2) - errors[1]) & (y <= max(y1, y2) + errors[1])
        if within_x & within_y & (abs(side) <= edges[j, 4]):
            return True
    return False


@compiled
def judge_polygon(places: Any, edges: Any, errors: Any, odd: Any, near: Any, count: int) -> None:
    """Decide which points lie inside a polygon or on its edge; those too near to say are marked."""
    x, y = places[0], places[1]
    for i in range(count):
        odd[i] = 0
        near[i] = 0
    for j in range(len(edges)):
        cross(x, y, edges[j], odd, near, count)
    is_exact = errors[0] == 0.0 and errors[1] == 0.0
    for i in range(count):
        if near[i]:
            is_close = touches(x[i], y[i], edges, errors)
            near[i] = 1 if is_close and not is_exact else 0
            if is_close and is_exact:
                odd[i] = 1


@compiled
def find_cell(value: float, width: float, shift: float) -> Any:
    """Return the number of the cell in which a value lies."""
    return np.floor(value / width + shift)


@compiled
def judge_cells(places: Any, grid: Any, inside: Any, errors: Any, odd: Any, near: Any, count: int) -> None:
    """Look up whether the cells of events lie inside; ``grid`` says where the cells are noted."""
    n_x, n_y = grid[1], grid[2]
    for i in range(count):
        x, y = places[0, i], places[1, i]
        low_x = find_cell(x - errors[0], grid[3], grid[4])
        low_y = find_cell(y - errors[1], grid[6], grid[7])
        is_sure = low_x == find_cell(x + errors[0], grid[3], grid[4])
        is_sure &= low_y == find_cell(y + errors[1], grid[6], grid[7])
        low_x -= grid[5]
        low_y -= grid[8]
        near[i] = 0 if is_sure else 1
        odd[i] = 0
        if (low_x >= 0) & (low_x < n_x) & (low_y >= 0) & (low_y < n_y):
            odd[i] = inside[int(grid[0] + low_y * n_x + low_x)]


@compiled
def judge_ellipsoid(places: Any, data: Any, errors: Any, odd: Any, near: Any, count: int) -> None:
    """Decide which points lie inside an ellipsoid; those too near to say are marked."""
    n = len(errors)
    total, slack, turned = np.zeros(count), np.zeros(count), np.empty(count)
    limit, spread = data[n + n * n], 0.0
    for a in range(n):
        turned[:] = 0.0
        for b in range(n):
            x, mean, number = places[b], data[b], data[n + b * n + a]
            spread += abs(number) * errors[a] * errors[b]
            for i in range(count):
                turned[i] += (x[i] - mean) * number
        x, mean, error = places[a], data[a], 2.0 * errors[a]
        for i in range(count):
            total[i] += turned[i] * (x[i] - mean)
            slack[i] += abs(turned[i]) * error
    is_exact = spread == 0.0
    for i in range(count):
        odd[i] = 1 if total[i] <= limit else 0
        room = 1.0001 * (slack[i] + spread) + 1e-12 * (abs(total[i]) + limit)
        near[i] = 1 if (not is_exact) & (abs(total[i] - limit) <= room) else 0


@compiled
def list_marked(marked: Any, order: Any, count: int) -> int:
    """List marked events; return how many."""
    listed = 0
    for k in range(count):
        order[listed] = k
        listed += 1 if marked[k] != 0 else 0
    return listed


@compiled
def settle(out: Any, bit: Any, order: Any, odd: Any, near: Any, unsure: Any, listed: int) -> None:
    """Keep of the candidates of a shape those that lie inside."""
    for i in range(listed):
        k = order[i]
        out[k] = bit if odd[i] != 0 else np.uint64(0)
        if near[i]:
            unsure[k] = 1


@compiled
def begin_joined(kind: int, out: Any, bit: Any, count: int) -> None:
    """Mark every event for an intersection, none for a union."""
    for k in range(count):
        out[k] = bit if kind == ALL_OF else np.uint64(0)


@compiled
def join(kind: int, other: Any, turned: bool, out: Any, bit: Any, count: int) -> None:
    """Intersect or unite marked events with those of another gate, or with the others."""
    zero = np.uint64(0)
    if kind == ALL_OF:
        for k in range(count):
            out[k] = out[k] if (other[k] != zero) != turned else zero
    else:
        for k in range(count):
            out[k] = bit if (other[k] != zero) != turned else out[k]


@compiled
def pack(hits: Any, alone: Any, packed: Any, count: int) -> None:
    """Join the bits of gates event by event."""
    i, stop = 0, len(alone)
    while i < stop:
        w = alone[i] >> 6
        out = packed[w]
        if i + 4 <= stop and alone[i + 3] >> 6 == w:
            a, b, c, d = hits[alone[i]], hits[alone[i + 1]], hits[alone[i + 2]], hits[alone[i + 3]]
            for k in range(count):
                out[k] = out[k] | a[k] | b[k] | c[k] | d[k]
            i += 4
        else:
            one = hits[alone[i]]
            for k in range(count):
                out[k] = out[k] | one[k]
            i += 1


@compiled
def leave(packed: Any, unsure: Any, totals: Any, left: Any, count: int) -> int:
    """Take events that others must judge out of the counts and note them; return how many."""
    marked = 0
    for k in range(count):
        if unsure[k]:
            left[marked] = k
            marked += 1
            for g in range(len(totals)):
                totals[g] -= np.int64((packed[g >> 6, k] >> np.uint64(g & 63)) & np.uint64(1))
    return marked

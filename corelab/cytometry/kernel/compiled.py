"""One compiled function for every tree: gates are rows of the tables of `corelab.cytometry.kernel.layout`."""

from typing import Any, Final

import numpy as np

from corelab.cytometry.kernel.loops import (
    begin_joined,
    count_marked,
    entered,
    fill_product,
    fill_ratio,
    fill_recorded,
    join,
    judge_cells,
    judge_ellipsoid,
    judge_polygon,
    keep_four,
    keep_one,
    keep_two,
    leave,
    list_marked,
    mark_band,
    mark_far,
    narrow,
    pack,
    place_by_table,
    place_straight,
    settle,
    turn,
)

LOOPS: Final = "1c2002d4b67818a7a268c550c742d38de458df3e4e86602b58092c202bc288a7"
"""SHA-256 of ``loops.py``: Numba compiles again when this file changes, but does not look at that one."""

BLOCK: Final = 256
RECTANGLE: Final = 0
POLYGON: Final = 1
CELLS: Final = 2
ALL_OF: Final = 4
NONE_OF: Final = 6
PRODUCT: Final = 1
RATIO: Final = 2
TABLE: Final = 1


@entered
def gate_blocks(
    rows: Any,
    loads: Any,
    slots: Any,
    gates: Any,
    limits: Any,
    shapes: Any,
    words: Any,
    totals: Any,
    left: Any,
) -> int:
    """Evaluate every gate on every event.

    ``rows`` are two arrays ``(n, n_channels)``, float32 and float64, one of them empty: so one compilation
    serves both.

    ``words`` ``(n_events, n_words)`` and ``totals`` ``(n_gates,)`` are filled; ``left`` receives the numbers
    of the events that only the scales themselves can judge, which are in no total; how many is returned.
    """
    table, terms, ratios, reach = slots
    gate_table, operands = gates
    part_slots, parts, band_slots, bands = limits
    heads, axes, axis_numbers, data, cells, pieces = shapes
    n_slots, n_gates, n_loads = len(table), len(gate_table), len(loads[0])
    columns = np.zeros((n_slots, BLOCK))
    bits = columns.view(np.int64)
    done, unsure = np.zeros(n_slots, np.uint8), np.zeros(BLOCK, np.uint8)
    hits = np.zeros((n_gates + 1, BLOCK), np.uint64)
    hits[n_gates, :] = np.uint64(1)
    kept = np.zeros(n_gates + 1, np.int64)
    order, odd, near = np.zeros(BLOCK + 1, np.int64), np.zeros(BLOCK, np.int64), np.zeros(BLOCK, np.int64)
    places, packed = np.zeros((len(axes) + 1, BLOCK)), np.zeros((words.shape[1], BLOCK), np.uint64)
    alone = np.flatnonzero(gate_table[:, 6] == 0)
    n_left = 0
    n_events = len(rows[0]) + len(rows[1])
    for first in range(0, n_events, BLOCK):
        count = min(BLOCK, n_events - first)
        fill_recorded(rows, first, count, loads, columns)
        for s in range(n_slots):
            done[s] = 0
        for k in range(count):
            unsure[k] = 0
        for s in range(n_loads):
            mark_far(columns[s], bits[s], reach, count, unsure)
        packed[:, :] = np.uint64(0)
        kept[n_gates] = count
        for g in range(n_gates):
            if gate_table[g, 6] < 0:  # done with the first of its four
                continue
            kind, above, flip = gate_table[g, 0], gate_table[g, 1], gate_table[g, 2]
            start, stop = gate_table[g, 3], gate_table[g, 4]
            out, parent = hits[g], hits[above]
            bit = np.uint64(1) << np.uint64(g & 63)
            if kept[above] == 0:
                kept[g] = 0
                out[:] = np.uint64(0)
                continue
            if kind >= ALL_OF:
                begin_joined(kind, out, bit, count)
                for i in range(start, stop):
                    join(kind, hits[operands[i, 0]], operands[i, 1] != 0, out, bit, count)
                if (kind == NONE_OF) != (flip != 0):
                    turn(out, parent, bit, count)
                else:
                    join(ALL_OF, parent, False, out, bit, count)
                kept[g] = count_marked(out, count)
                totals[g] += kept[g]
                continue
            for i in range(start, stop):
                wanted = part_slots[i]
                # A ratio comes after its two columns, so that one look upwards suffices.
                for at in range(3):
                    slot = table[wanted, 1 + at] if at < 2 and table[wanted, 0] == RATIO else wanted
                    if slot < n_loads or done[slot]:
                        continue
                    done[slot] = 1
                    if table[slot, 0] == PRODUCT:
                        fill_product(columns, terms, table[slot, 1], table[slot, 2], columns[slot], count)
                    else:
                        x, y = columns[table[slot, 1]], columns[table[slot, 2]]
                        fill_ratio(x, y, ratios[table[slot, 3]], columns[slot], count)
                        mark_far(columns[slot], bits[slot], reach, count, unsure)
            if gate_table[g, 6] > 0:
                x, y = columns[part_slots[start]], columns[part_slots[start + 1]]
                boxes = parts[start : start + 8]
                keep_four(x, y, boxes, parent, packed[g >> 6], bit, totals[g : g + 4], count)
                continue
            held = 0
            if stop - start == 2:
                x, y = columns[part_slots[start]], columns[part_slots[start + 1]]
                held = keep_two(x, y, parts[start:stop], parent, out, bit, count)
            else:
                held = keep_one(
                    columns[part_slots[start]], parts[start, 0], parts[start, 1], parent, out, bit, count
                )
                for i in range(start + 1, stop):
                    narrow(columns[part_slots[i]], parts[i, 0], parts[i, 1], out, count)
            if kind != RECTANGLE:
                shape = gate_table[g, 5]
                begin, n_axes, at, length = heads[shape, 0], heads[shape, 1], heads[shape, 2], heads[shape, 3]
                listed = list_marked(out, order, count)
                for a in range(begin, begin + n_axes):
                    x, numbers, place = columns[axes[a, 0]], axis_numbers[a], places[a - begin]
                    if axes[a, 1] == TABLE:
                        place_by_table(x, order, axes[a], numbers[0], pieces, place, listed)
                    else:
                        place_straight(x, order, numbers, place, listed)
                errors, own = axis_numbers[begin : begin + n_axes, 2], data[at : at + length]
                if kind == POLYGON:
                    judge_polygon(places, own.reshape(-1, 5), errors, odd, near, listed)
                elif kind == CELLS:
                    judge_cells(places, own, cells, errors, odd, near, listed)
                else:
                    judge_ellipsoid(places, own, errors, odd, near, listed)
                settle(out, bit, order, odd, near, unsure, listed)
            if flip:
                turn(out, parent, bit, count)
            if flip or kind != RECTANGLE or stop - start > 2:
                held = count_marked(out, count)
            kept[g] = held
            totals[g] += kept[g]
        for i in range(len(bands)):
            slot = band_slots[i]
            if slot < n_loads or done[slot]:
                mark_band(columns[slot], bands[i, 0], bands[i, 1], unsure, count)
        pack(hits, alone, packed, count)
        for w in range(len(packed)):
            own, out = packed[w], words[first : first + count, w]
            for k in range(count):
                out[k] = own[k]
        marked = 0
        for k in range(count):
            marked |= unsure[k]
        if marked:
            fresh = left[n_left:]
            marked = leave(packed, unsure, totals, fresh, count)
            for i in range(marked):
                fresh[i] += first
            n_left += marked
    return n_left

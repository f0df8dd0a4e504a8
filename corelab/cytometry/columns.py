"""Compensated channels of a tube, computed when they are asked for, and populations as bits."""

from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from corelab.cytometry.compensation import Compensated
from corelab.cytometry.records import Mask, Values

_SMALL: Final = 50_000
"""Up to so many events all channels are kept: computing them again would cost more than their memory."""

_TOGETHER: Final = 2
_RARE: Final = 32
"""Populations of fewer than one event in so many are kept as places, which take less than bits then."""


class Columns:
    """Gives channels compensated, ``(n_events,)`` and read-only; the latest is kept, of few events all are.

    All channels of a tube as doubles would take twice the memory of its file.
    """

    def __init__(self, compensated: Compensated) -> None:
        self._compensated = compensated
        is_small = compensated.acquisition.n_events <= _SMALL
        self._most = len(compensated.acquisition.detectors) if is_small else 1
        self._kept: dict[int, Values] = {}

    def __call__(self, column: int) -> Values:
        """Return one channel."""
        values = self._kept.get(column)
        if values is None:
            while len(self._kept) >= self._most:  # another request may take the same one out
                self._kept.pop(next(iter(self._kept), -1), None)
            values = self._compensated.compute([column])[0]
            values.setflags(write=False)
            self._kept[column] = values
        return values

    def each(self, columns: Sequence[int]) -> Iterator[Values]:
        """Go over some channels, a few computed together; each is good until the next is asked for."""
        if self._most > 1:
            yield from map(self, columns)
            return
        self._kept.clear()
        room = np.empty((_TOGETHER, self._compensated.acquisition.n_events))
        for begin in range(0, len(columns), _TOGETHER):
            wanted = columns[begin : begin + _TOGETHER]
            yield from self._compensated.compute(wanted, out=room[: len(wanted)])

    @property
    def n_bytes(self) -> int:
        """What is kept takes in memory."""
        return sum(values.nbytes for values in list(self._kept.values()))


@dataclass(frozen=True, slots=True, eq=False)
class _Packed:
    """A population: a bit for an event, or the places of its few events."""

    n_events: int
    count: int
    bits: npt.NDArray[np.uint8] | None
    places: npt.NDArray[np.int32] | None

    @property
    def n_bytes(self) -> int:
        return sum(part.nbytes for part in (self.bits, self.places) if part is not None)

    def unpack(self) -> Mask:
        if self.bits is not None:
            return np.unpackbits(self.bits, count=self.n_events).view(np.bool_)
        mask = np.zeros(self.n_events, dtype=bool)
        mask[self.places] = True
        return mask


def _pack(mask: Mask) -> _Packed:
    n_events, count = len(mask), int(np.count_nonzero(mask))
    if _RARE * count < n_events:
        return _Packed(n_events, count, None, np.flatnonzero(mask).astype(np.int32))
    return _Packed(n_events, count, np.packbits(mask), None)


class PackedMasks(MutableMapping[str, Mask | None]):
    """Populations by name, packed; None for one without a gate."""

    def __init__(self) -> None:
        self._packed: dict[str, _Packed | None] = {}

    def __getitem__(self, name: str) -> Mask | None:
        packed = self._packed[name]
        return None if packed is None else packed.unpack()

    def __setitem__(self, name: str, mask: Mask | None) -> None:
        self._packed[name] = None if mask is None else _pack(mask)

    def __delitem__(self, name: str) -> None:
        del self._packed[name]

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._packed))

    def __len__(self) -> int:
        return len(self._packed)

    def __contains__(self, name: object) -> bool:
        return name in self._packed

    def count(self, name: str) -> int | None:
        """Return how many events a population has, None without a gate."""
        packed = self._packed[name]
        return None if packed is None else packed.count

    def items_packed(self) -> list[tuple[str, _Packed | None]]:
        """Return them as they are kept."""
        return list(self._packed.items())

    def copy(self, *, without: Iterable[str] = ()) -> "PackedMasks":
        """Return the same populations, but for some; what is packed is shared, as it is never changed."""
        made, left_out = PackedMasks(), set(without)
        made._packed = {name: one for name, one in dict(self._packed).items() if name not in left_out}
        return made

    @property
    def n_bytes(self) -> int:
        """What they take in memory."""
        return sum(packed.n_bytes for packed in list(self._packed.values()) if packed is not None)


class GatedMasks(Mapping[str, Mask]):
    """The populations that have a gate; each is laid out, ``(n_events,)``, when it is asked for."""

    def __init__(self, masks: PackedMasks) -> None:
        self._packed = {name: one for name, one in masks.items_packed() if one is not None}

    def __getitem__(self, name: str) -> Mask:
        return self._packed[name].unpack()

    def __iter__(self) -> Iterator[str]:
        return iter(self._packed)

    def __len__(self) -> int:
        return len(self._packed)


class MaskList(Sequence[Mask]):
    """Some populations in order; each is laid out when it is asked for."""

    def __init__(self, masks: GatedMasks, names: Sequence[str]) -> None:
        self._masks, self._names = masks, names

    def __getitem__(self, place: int) -> Mask:  # type: ignore[override]
        return self._masks[self._names[place]]

    def __len__(self) -> int:
        return len(self._names)

"""What one comparison of speed says."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchRow:
    """One line of the comparison: ours beside a peer, both measured in the same run.

    ``ours_s`` and ``peer_s`` are medians in seconds; ``ratio`` is ``peer_s / ours_s``; ``target`` the
    ratio that must hold; ``note`` what was measured and what was compared.
    """

    name: str
    ours_s: float
    peer: str
    peer_s: float
    ratio: float
    target: float
    note: str

    @property
    def holds(self) -> bool | None:
        """Whether the ratio reaches its target, None where it has none."""
        return None if self.target != self.target else self.ratio >= self.target

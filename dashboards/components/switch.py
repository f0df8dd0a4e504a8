"""A switch between a few words."""

from collections.abc import Mapping
from typing import Any

import dash_mantine_components as dmc


def build_switch(name: str, labels: Mapping[str, str], value: str) -> Any:
    """Build a segmented control; ``labels`` are the words by their values."""
    return dmc.SegmentedControl(
        id=name,
        data=[{"value": word, "label": label} for word, label in labels.items()],
        value=value,
        className="segments",
        transitionDuration=0,
    )

"""A frozen model of single cells: clusters and a map that stay, so that new visits move nothing."""

import io
import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from corelab.errors import IntegrityError
from corelab.singlecell.cells import choose_markers
from corelab.singlecell.embedding import Places, draw_map, find_places
from corelab.singlecell.mixture import Floats, Labels, Mixture, assign_clusters, fit_mixture
from corelab.singlecell.profiles import describe_clusters
from corelab.singlecell.settings import CellSettings
from corelab.statistics.sampling import choose_fairly

if TYPE_CHECKING:
    import pandas as pd

FORMAT: Final = 1
LETTERS: Final[Mapping[str, str]] = {"cart": "T", "bcell": "B"}
"""By panel: the first letter of its clusters' names."""
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PanelModel:
    """The clusters of one panel, and its map.

    ``names`` and ``descriptions`` are those of the mixture's clusters, ``mapped`` and ``mapped_labels`` the
    cells of the map, ``places (n, 2)`` where they are.
    """

    panel: str
    markers: tuple[str, ...]
    names: tuple[str, ...]
    descriptions: tuple[str, ...]
    mixture: Mixture
    mapped: Floats
    mapped_labels: Labels
    places: Places

    def assign(self, values: Floats, *, progress: Progress | None = None) -> Labels:
        """Return the cluster of each cell, as its place in ``names``; see `assign_clusters`."""
        return assign_clusters(values, self.mixture, progress=progress)

    def find_places(self, values: Floats, labels: Labels) -> Places:
        """Return where cells are on the map; see `corelab.singlecell.embedding.find_places`."""
        return find_places(
            values, labels, mapped=self.mapped, mapped_labels=self.mapped_labels, places=self.places
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CellModel:
    """The models of all panels with what they were made from."""

    panels: Mapping[str, PanelModel]
    about: Mapping[str, Any]


def fit_panel(
    cells: "pd.DataFrame", markers: tuple[str, ...], *, panel: str, settings: CellSettings,
    method: str = "gaussian",
) -> PanelModel | None:  # fmt: skip
    """Find the clusters of a panel's cells and draw their map.

    Parameters
    ----------
    cells
        One row a cell with the markers on the self-scaled axis; no column says to which gate it belongs.
    markers
        Those that divide cells.
    panel, settings, method
        The panel, and as in `fit_mixture`.

    Returns
    -------
    PanelModel or None
        None where there are too few cells for clusters.
    """
    values = cells[list(markers)].to_numpy(dtype=np.float64)
    rng = np.random.default_rng([settings.seed, len(values)])
    if len(values) > settings.model:
        values = values[np.sort(rng.permutation(len(values))[: settings.model])]
    mixture = fit_mixture(values, settings, method=method) if markers else None
    if mixture is None:
        return None
    names = tuple(f"{LETTERS.get(panel, panel)}{number:02d}" for number in range(1, len(mixture) + 1))
    words = describe_clusters(mixture.means, markers, names)
    labels = assign_clusters(values, mixture)
    chosen = choose_for_map(labels, settings, rng=rng)
    return PanelModel(
        panel=panel, markers=markers, names=names, descriptions=tuple(words[name] for name in names),
        mixture=mixture, mapped=values[chosen], mapped_labels=labels[chosen],
        places=draw_map(values[chosen], settings),
    )  # fmt: skip


def complete_model(
    model: CellModel | None, cells: "Mapping[str, pd.DataFrame]", settings: CellSettings, *,
    method: str = "gaussian", packages: Mapping[str, str] | None = None,
) -> CellModel:  # fmt: skip
    """Return the model with a part for every panel that has enough cells; parts that are there stay.

    Parameters
    ----------
    model
        The frozen model; None: every part is made.
    cells
        By panel, as `corelab.singlecell.cells.gather_cells` gives them.
    settings, method
        As in `fit_panel`.
    packages
        Versions of what makes the model, to be kept with it.
    """
    parts = dict(model.panels) if model else {}
    for panel, table in cells.items():
        if panel in parts or len(table) < settings.fewest:
            continue
        markers = choose_markers(table, settings.markers[panel])
        whole = table.dropna(subset=list(markers))
        fitted = fit_panel(whole, markers, panel=panel, settings=settings, method=method)
        if fitted is not None:
            parts[panel] = fitted
    if model is not None and parts.keys() == model.panels.keys():
        return model
    about = {"seed": settings.seed, "method": method, "packages": dict(packages or {})}
    return CellModel(panels=parts, about=about)


def choose_for_map(labels: Labels, settings: CellSettings, *, rng: np.random.Generator) -> Labels:
    """Choose the cells of a map: rare clusters whole, large ones cut to the same size."""
    chosen, _ = choose_fairly(labels.astype(object), limit=settings.mapped, rng=rng)
    return chosen


def format_model(model: CellModel) -> bytes:
    """Write a model as NumPy's archive; the same model, the same bytes."""
    arrays: dict[str, Any] = {}
    for panel, one in sorted(model.panels.items()):
        arrays |= {
            f"{panel}.weights": one.mixture.weights, f"{panel}.means": one.mixture.means,
            f"{panel}.covariances": one.mixture.covariances, f"{panel}.mapped": one.mapped,
            f"{panel}.mapped_labels": one.mapped_labels, f"{panel}.places": one.places,
        }  # fmt: skip
    words = {
        panel: {"markers": one.markers, "names": one.names, "descriptions": one.descriptions}
        for panel, one in model.panels.items()
    }
    head = json.dumps(
        {"format": FORMAT, "about": dict(model.about), "panels": words}, sort_keys=True, ensure_ascii=False
    )
    buffer = io.BytesIO()
    np.savez(buffer, head=np.frombuffer(head.encode("utf-8"), dtype=np.uint8), **arrays)
    return buffer.getvalue()


def parse_model(data: bytes) -> CellModel:
    """Read what `format_model` wrote.

    Raises
    ------
    IntegrityError
        If the bytes are no model, or one of another version.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            head = json.loads(archive["head"].tobytes().decode("utf-8"))
            if head["format"] != FORMAT:
                raise IntegrityError(
                    f"a model of single cells of version {head['format']}", expected=f"version {FORMAT}",
                    remedy="freeze a new one with corelab phenotype --new-model",
                )  # fmt: skip
            panels = {panel: _read_panel(panel, words, archive) for panel, words in head["panels"].items()}
    except (KeyError, ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise IntegrityError("holds no model of single cells", place="cell model") from error
    return CellModel(panels=panels, about=head["about"])


def _read_panel(panel: str, words: Mapping[str, Any], archive: Any) -> PanelModel:
    mixture = Mixture(
        weights=archive[f"{panel}.weights"], means=archive[f"{panel}.means"],
        covariances=archive[f"{panel}.covariances"],
    )  # fmt: skip
    return PanelModel(
        panel=panel, markers=tuple(words["markers"]), names=tuple(words["names"]),
        descriptions=tuple(words["descriptions"]), mixture=mixture, mapped=archive[f"{panel}.mapped"],
        mapped_labels=archive[f"{panel}.mapped_labels"], places=archive[f"{panel}.places"],
    )  # fmt: skip

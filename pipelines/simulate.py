"""The step behind ``corelab simulate``: a synthetic delivery folder on disk."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from corelab.errors import ConfigError
from corelab.study import builtin_study
from corelab.synthetic.plan import plan_trial
from corelab.synthetic.render import RenderedTube, render_tube
from corelab.synthetic.trial import assemble_delivery, check_counts

DEFAULT_SEED: Final = 1234
Progress = Callable[[int, int], None]
"""Called with the number of tubes that are done and of all tubes."""


def simulate(
    out: Path,
    *,
    subjects: int = 6,
    events: int = 40_000,
    seed: int = DEFAULT_SEED,
    progress: Progress | None = None,
) -> int:
    """Write a synthetic delivery folder and its truth.

    Parameters
    ----------
    out
        Folder to write; it must not exist or be empty, so that nothing of another seed stays.
    subjects
        Number of children.
    events
        Events a tube.
    seed
        Seed of the trial.
    progress
        Told after every tube.

    Returns
    -------
    int
        Number of files written.

    Raises
    ------
    ConfigError
        If a number is out of range, or the folder holds files already or cannot be written.
    """
    check_counts(subjects=subjects, events=events, seed=seed)
    _check_folder(out)
    plan = plan_trial(subjects=subjects, events=events, seed=seed, study=builtin_study())

    def render() -> Iterator[RenderedTube]:
        for done, tube in enumerate(plan.tubes, start=1):
            yield render_tube(seed, tube)
            if progress:
                progress(done, len(plan.tubes))

    written = 0
    for file in assemble_delivery(plan, render()):
        path = out / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.data)
        written += 1
    return written


def _check_folder(out: Path) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(
            "is not an empty folder", place=str(out), remedy="name a folder that is not there yet"
        )
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError("cannot be written", place=str(out)) from error

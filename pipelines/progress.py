"""Long work shows a bar on a terminal and a line now and then elsewhere."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

_LINES: Final = 4


@contextmanager
def show_progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """Give a function to be told (done, total)."""
    if sys.stderr.isatty():
        with _bar(what) as tell:
            yield tell
    else:
        yield _line_teller(what)


@contextmanager
def _bar(what: str) -> Iterator[Callable[[int, int], None]]:
    from tqdm import tqdm

    with tqdm(desc=what, unit="file", leave=False) as bar:

        def tell(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield tell


def _line_teller(what: str) -> Callable[[int, int], None]:
    told = 0

    def tell(done: int, total: int) -> None:
        nonlocal told
        quarter = _LINES * done // total if total else _LINES
        if quarter > told:
            told = quarter
            print(f"{what}: {done} of {total}", flush=True)

    return tell

"""Writers at once and killed uploads, with small counts; `make validate` has the full ones."""

from pathlib import Path

import pytest

from tests.validation.faults import strike_uploads, write_together


@pytest.mark.postgres
def test_write_together__four_writers_and_a_run_are_one_after_another(
    tmp_path: Path, postgres_url: str
) -> None:
    assert write_together(tmp_path, iter([None, postgres_url]), rounds=2).same


def test_strike_uploads__loses_nothing(tmp_path: Path) -> None:
    struck = strike_uploads(tmp_path, kills=1, seed=3)
    assert struck.same
    assert struck.kills

"""The description of the API is true: what another program makes of it finds nothing."""

from pathlib import Path

from tests.validation.api_fuzz import fuzz_api, make_server


def test_api__is_as_described(tmp_path: Path) -> None:
    server, credentials = make_server(tmp_path)
    found = fuzz_api(server, credentials["token"], examples=4, seed=77_001, folder=tmp_path)
    assert found.failures == ""
    assert found.requests >= 100

"""What lies in ``sample_data/`` is what its README says it is."""

import re
from pathlib import Path

from corelab.study import Study
from corelab.synthetic import simulate_trial

SAMPLE = Path(__file__).parents[2] / "sample_data"
LARGEST_BYTES = 15_000_000


def test_sample_data__is_made_again_byte_for_byte_by_the_command_of_its_readme(study: Study) -> None:
    text = (SAMPLE / "README.md").read_text(encoding="utf-8")
    found = re.search(r"--subjects (\d+) --events (\d+) --seed (\d+)", text)
    assert found
    subjects, events, seed = map(int, found.groups())
    assert seed == int((SAMPLE / "seed.txt").read_text(encoding="utf-8"))
    delivered = {
        path.relative_to(SAMPLE / "delivery").as_posix(): path
        for path in (SAMPLE / "delivery").rglob("*")
        if path.is_file()
    }
    made = set()
    for file in simulate_trial(subjects=subjects, events=events, seed=seed, study=study):
        assert delivered[file.path].read_bytes() == file.data, file.path
        made.add(file.path)
    assert made == set(delivered)


def test_sample_data__is_small_and_reads_as_a_delivery() -> None:
    size = sum(path.stat().st_size for path in SAMPLE.rglob("*") if path.is_file())
    assert size < LARGEST_BYTES
    assert (SAMPLE / "delivery" / "manifest.csv").is_file()
    assert len(list((SAMPLE / "delivery" / "fcs").glob("*.fcs"))) > 25

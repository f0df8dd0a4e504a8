"""Real files from many instruments, against what is known of them and against FlowIO and FlowKit."""

import json
import sys
import warnings

import flowio
import flowkit
import numpy as np
import pytest

from corelab.errors import FcsReadError
from corelab.ingest.fcs import read_fcs
from tests.ingest.real_data import find_real_data

REFUSED = {
    "fcsparser__corrupted__corrupted.fcs": "begins with",
    "fcsparser__cytek-nl-2000__sample_header.fcs": "DATA holds 0 events, $TOT says 20000",
    "flowkit__multi_dataset_fcs__coulter.lmd": "second data set",
    # Their events do not begin where any offset says: times run backwards, values reach 1e38.
    "labkey_test__flow__version__Fake_2_0.fcs": "no finite numbers",
    "labkey_test__flow__version__Fake_3_0.fcs": "no finite numbers",
    "labkey_test__flow__version__Fake_3_2.fcs": "no finite numbers",
}
UNREAD_BY_FLOWIO = 5
pytestmark = [
    pytest.mark.real_data,
    # FlowIO leaves its file open when it gives up.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def read_by_flowio(path):
    for options in ({}, {"ignore_offset_error": True}):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                data = flowio.FlowData(str(path), **options)
                return data, data.as_array()
        except Exception:  # noqa: BLE001 - whatever FlowIO raises, it does not read this file
            continue
    return None, None


def report(line):
    """Print a figure; ``pytest -s`` shows it."""
    sys.stdout.write(line + "\n")


def test_read_fcs__reads_or_refuses_every_odd_file():
    folder = find_real_data("robustness_fcs")
    truth = json.loads((folder / "truth_parse.json").read_text(encoding="utf-8"))
    assert len(truth) == 20
    for known in truth:
        data = (folder / known["file"]).read_bytes()
        if known["file"] in REFUSED:
            with pytest.raises(FcsReadError) as caught:
                read_fcs(data, name=known["file"])
            assert REFUSED[known["file"]] in str(caught.value)
            assert "\n" not in str(caught.value)
            report(f"refused: {caught.value}")
            continue
        acquisition = read_fcs(data, name=known["file"])
        assert acquisition.version == known["magic"]
        assert acquisition.events.shape == (int(known["tot"]), int(known["par"]))
        assert np.isfinite(acquisition.events).all()
        report(f"read: {known['file']}: {' x '.join(map(str, acquisition.events.shape))}")
    report(f"robustness_fcs: {len(truth) - len(REFUSED)} read, {len(REFUSED)} refused by name")


def test_read_fcs__agrees_with_flowio_where_it_reads():
    paths = [
        path
        for name in ("robustness_fcs", "flowatlas_human_tcell_memory", "flowvs_hd_tbnk",
                     "flowsom_68983_mouse_cd19", "flowcap1_gvhd_labels", "isac_gatingml2_gate_ref")
        for path in sorted(find_real_data(name).iterdir())
        if path.suffix in (".fcs", ".lmd") and path.name not in REFUSED
    ]  # fmt: skip
    compared = 0
    for path in paths:
        acquisition = read_fcs(path.read_bytes(), name=path.name)
        data, reference = read_by_flowio(path)
        if reference is None:
            continue
        expected = reference.copy()
        if data.time_index is not None:
            # FlowIO gives seconds, we give the units of the channel.
            expected[:, data.time_index] /= acquisition.time_step or 1.0
        np.testing.assert_allclose(acquisition.events, expected, rtol=1e-12, err_msg=path.name)
        compared += 1
    report(f"same events as FlowIO: {compared} of {len(paths)} files that we read")
    assert compared >= len(paths) - UNREAD_BY_FLOWIO


def test_read_fcs__agrees_with_flowkit():
    path = find_real_data("flowsom_68983_mouse_cd19") / "68983.fcs"
    sample = flowkit.Sample(str(path))
    acquisition = read_fcs(path.read_bytes(), name=path.name)
    columns = [i for i, name in enumerate(acquisition.detectors) if name != "Time"]
    np.testing.assert_array_equal(sample.get_events(source="raw")[:, columns], acquisition.events[:, columns])
    assert tuple(sample.pnn_labels) == acquisition.detectors

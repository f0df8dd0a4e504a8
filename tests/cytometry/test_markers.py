import numpy as np
import pytest

from corelab.cytometry.markers import find_antigens, find_scatter, match_markers
from corelab.cytometry.template import load_template
from corelab.cytometry.workspace import read_workspace_markers
from corelab.errors import InputError
from tests.cytometry.acquisitions import make_acquisition
from tests.ingest.real_data import find_real_data


def make_channels(channels):
    columns = {detector: np.zeros(3) for detector, _ in channels}
    return make_acquisition(columns, labels=dict(channels))


@pytest.mark.parametrize(
    ("label", "markers"),
    [
        ("CD197 (CCR7) BV421", ("CCR7",)),
        ("CCR7-A", ("CCR7",)),
        ("FJComp-BV421-A :: CCR7", ("CCR7",)),
        ("CD3-IgD", ("CD3", "IgD")),
        ("CD279", ("PD-1",)),
        ("pd1 PE-Cy7", ("PD-1",)),
        ("CD45-RA", ("CD45RA",)),
        ("CD45", ("CD45",)),
        ("CD19 CAR", ("CAR",)),
        ("Live/Dead", ("viability",)),
        ("l/d", ("viability",)),
        ("CD14/CD19/CD20", ("CD14", "CD19", "CD20")),
        ("HLA DR", ("HLA-DR",)),
        ("CAR (FMC63)", ("CAR",)),
        ("CD19 CAR detection", ("CAR",)),
        ("CD19 protein PE", ("CAR",)),
        ("CD3 APC-eFluor 780", ("CD3",)),
        ("CD14 eFluor 506", ("CD14",)),
        ("CD127 7-AAD", ()),
        ("APC-eFluor 780-A", ()),
        ("eFluor 780", ("viability",)),
        ("FVD eFluor 780", ("viability",)),
        ("7-AAD-A", ("viability",)),
        ("死活染料 FVS780", ("viability",)),
        ("细胞活力", ("viability",)),
        ("抗CD3抗体", ("CD3",)),
        ("ＣＤ３", ("CD3",)),
        ("PE-CF594-A", ()),
        ("CXCR3", ()),
        ("CD127", ()),
        ("", ()),
    ],
)
def test_find_antigens__knows_how_laboratories_write(label, markers):
    assert find_antigens(label) == markers


@pytest.mark.parametrize(
    ("detector", "kind"),
    [
        ("FS", "FSC"),
        ("SS INT LIN", "SSC-A"),
        ("FSC.H", "FSC-H"),
        ("TIME", "time"),
        ("PE-A", None),
        ("FSC 488/10-A", "FSC-A"),
        ("SSC-B-A", "SSC-B"),
        ("SSC (Violet)-A", "SSC-B"),
        ("VSSC-H", "SSC-B-H"),
    ],
)
def test_find_scatter__knows_old_and_new_names(detector, kind):
    assert find_scatter(detector) == kind


def test_match_markers__prefers_the_label_to_the_name_to_the_given_map():
    acquisition = make_channels([("CD4-A", "CD8"), ("CD3-A", ""), ("BV421-A", ""), ("FSC-A", "CD19")])
    found = match_markers(
        acquisition, required=[], marker_labels={"BV421-A": "CCR7", "CD3-A": "CD20", "CD4-A": "CD14"}
    )
    assert dict(found.columns) == {"CD8": 0, "CD3": 1, "CCR7": 2}
    assert dict(found.scatter) == {"FSC-A": 3}
    assert found.fluorescence == (0, 1, 2)


def test_match_markers__takes_no_colour_for_a_dye_of_dead_cells():
    """A detector's name tells a dye only where no label says what the channel measures."""
    named = [("7-AAD-A", "CD127 PerCP"), ("DAPI-A", "TCRgd"), ("eFluor 506-A", "CD3"), ("BV421-A", "L/D")]
    assert dict(match_markers(make_channels(named), required=[]).columns) == {"CD3": 2, "viability": 3}
    bare = make_channels([("7-AAD-A", ""), ("DAPI-A", "")])
    assert dict(match_markers(bare, required=[], marker_labels={"DAPI-A": "TCRgd"}).columns) == {
        "viability": 0
    }


def test_match_markers__takes_side_scatter_of_another_laser_for_no_light():
    aurora = [("SSC-B-A", ""), ("SSC-A", ""), ("SSC-B-H", ""), ("BV421-A", "CD3")]
    found = match_markers(make_channels(aurora), required=[])
    assert (dict(found.scatter), found.fluorescence) == ({"SSC-A": 1}, (3,))
    alone = match_markers(make_channels([("FSC-A", ""), ("VSSC-A", "")]), required=[])
    assert dict(alone.scatter) == {"FSC-A": 0, "SSC-A": 1}


def test_match_markers__takes_the_area_and_names_what_is_on_two_channels():
    acquisition = make_channels(
        [("B1-A", "CD3"), ("B1-H", "CD3"), ("B2-A", "CD4"), ("B3-A", "CD4"), ("B4-A", "")]
    )
    found = match_markers(acquisition, required=["CD3", "CD4", "CD8"])
    assert dict(found.columns) == {"CD3": 0}
    assert [(f.check, f.reason.split(";")[0]) for f in found.findings] == [
        ("MARKER_AMBIGUOUS", "CD4 stands on B2-A and B3-A"),
        ("MARKER_MISSING", "no channel is named CD8"),
    ]


def test_match_markers__lets_a_shared_channel_serve_both_and_says_so():
    found = match_markers(make_channels([("B1-A", "CD3-IgD")]), required=["CD3", "IgD"])
    assert dict(found.columns) == {"CD3": 0, "IgD": 0}
    assert dict(found.shared) == {"CD3": ("IgD",), "IgD": ("CD3",)}
    assert [f.check for f in found.findings] == ["MARKER_SHARED"]


def test_match_markers__finds_given_labels_under_compensated_names():
    acquisition = make_channels([("FJComp-BV421-A", "")])
    found = match_markers(acquisition, required=[], marker_labels={"BV421-A": "CCR7"})
    assert dict(found.columns) == {"CCR7": 0}


@pytest.mark.real_data
def test_read_workspace_markers__names_the_channels_of_one_file():
    workspace = (find_real_data("flowatlas_human_tcell_memory") / "workspace.wsp").read_bytes()
    labels = read_workspace_markers(workspace, name="w.wsp", file="412C_Blood_025.fcs")
    assert labels["FJComp-355 379_28-A"] == "CD3-IgD"
    assert labels["FJComp-355 820_60-A"] == "CD4"
    assert len(labels) == 19
    # The samples of this workspace disagree on that channel, so alone it says nothing.
    assert "FJComp-355 379_28-A" not in read_workspace_markers(workspace, name="w.wsp")


@pytest.mark.parametrize(
    "data", [b"", b"rubbish", b"<a/>", b'<!DOCTYPE x [<!ENTITY a "b">]><Workspace>&a;</Workspace>']
)
def test_read_workspace_markers__refuses_what_is_no_workspace(data):
    with pytest.raises(InputError, match=r"^w\.wsp"):
        read_workspace_markers(data, name="w.wsp")


def test_match_markers__finds_the_markers_of_both_panels_by_their_own_names():
    for panel in ("cart", "bcell"):
        template = load_template(panel)
        names = [*template.required, *template.optional]
        acquisition = make_channels([(f"X{i}-A", name) for i, name in enumerate(names)])
        found = match_markers(acquisition, required=template.required)
        assert dict(found.columns) == {name: i for i, name in enumerate(names)}
        assert not found.findings

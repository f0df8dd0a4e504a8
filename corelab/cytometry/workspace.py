"""Marker names out of a FlowJo 10 workspace, for files whose ``$PnS`` is empty."""

from corelab.cytometry.interchange.flowjo import read_labels_of_samples


def read_workspace_markers(data: bytes, *, name: str, file: str = "") -> dict[str, str]:
    """Read ``$PnN`` to ``$PnS`` from the keywords that a workspace keeps for its samples.

    Parameters
    ----------
    data
        The ``.wsp`` file.
    name
        What to call it in an error.
    file
        File name of an FCS file. If the workspace holds a sample of this name, its labels are
        returned; otherwise those on which all samples agree.

    Returns
    -------
    dict
        Detector to label.

    Raises
    ------
    InputError
        If the bytes are not an XML workspace or declare entities of their own.
    """
    samples = read_labels_of_samples(data, name=name)
    own = [labels for names, labels in samples if file and file in names]
    found: dict[str, set[str]] = {}
    for labels in own[:1] or [labels for _, labels in samples]:
        for detector, label in labels.items():
            found.setdefault(detector, set()).add(label)
    return {detector: labels.pop() for detector, labels in found.items() if len(labels) == 1}

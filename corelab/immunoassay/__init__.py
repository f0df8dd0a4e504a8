"""Plate assays: standard curves, quantitation with its limits, acceptance of runs, control charts."""

"""A synthetic trial with its truth: every event, file and child known, deterministic by seed."""

from corelab.synthetic.trial import SimulatedFile, simulate_trial
from corelab.synthetic.truth import population_masks, read_event_truth

__all__ = ["SimulatedFile", "population_masks", "read_event_truth", "simulate_trial"]

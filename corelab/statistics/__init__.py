"""Intervals, rare-event limits and exact small-n tests."""

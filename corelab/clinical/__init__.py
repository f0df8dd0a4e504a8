"""Dose and other clinical derivations."""

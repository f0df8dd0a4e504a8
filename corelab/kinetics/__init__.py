"""Cellular kinetics: parameters, rules below the limit of quantification, persistence, recovery."""

"""Cellular kinetics: areas, slopes, persistence, cytokine courses and the return of B cells."""

"""Exports of plate readers to records, one module a format; none is guessed, none is half read."""

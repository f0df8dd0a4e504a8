"""Delivered bytes to records: FCS files, tables, censored values, de-identification."""

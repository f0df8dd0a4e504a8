"""The correlative laboratory of a CAR-T trial, as a library."""

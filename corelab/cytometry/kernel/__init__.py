"""Gates and medians over blocks of events by compiled loops, with the same answers as NumPy."""

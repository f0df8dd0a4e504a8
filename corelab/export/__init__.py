"""Tables to files that leave the house."""

"""The web dashboard; it reads snapshots and computes nothing."""

"""Objects, registry, snapshots and the audit chain of a home."""

"""Migrations of the registry, run through `corelab.store.database`."""

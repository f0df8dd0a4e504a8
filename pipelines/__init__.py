"""The programs: each reads, calls corelab and writes; cli.py puts them together."""

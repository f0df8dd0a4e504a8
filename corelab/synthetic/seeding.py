"""One independent random stream per thing, so that no file depends on another."""

import hashlib

import numpy as np

_WORDS_IN_KEY = 4


def spawn_generator(seed: int, *names: str) -> np.random.Generator:
    """Give the random stream that belongs to a name, whatever was drawn before.

    Parameters
    ----------
    seed
        Seed of the whole trial, not negative.
    names
        Path of names, for example subject, visit, panel and tube.

    Returns
    -------
    Generator
        A PCG64 stream whose spawn key is the SHA-256 of the names.

    Examples
    --------
    >>> first = spawn_generator(1, "LN-001", "D7").integers(1000)
    >>> bool(first == spawn_generator(1, "LN-001", "D7").integers(1000))
    True
    """
    digest = hashlib.sha256("\x1f".join(names).encode()).digest()
    key = np.frombuffer(digest, dtype="<u4")[:_WORDS_IN_KEY]
    sequence = np.random.SeedSequence(seed, spawn_key=tuple(int(word) for word in key))
    return np.random.Generator(np.random.PCG64(sequence))


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw one number whose logarithm is uniform between two positive limits."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))

"""Every exception that bad input can raise.

::

    CorelabError            anything a user can mend
    ├── InputError          a delivered file or row does not hold what it should
    │   ├── FcsReadError    an FCS file cannot be read right
    │   ├── TableReadError  a delivered table cannot be read at all
    │   ├── PlateReadError  the export of a plate reader cannot be read right
    │   ├── UploadOffsetError   a piece of an upload does not begin where the file ends
    │   └── MarkerError     the channels of a file cannot be matched to a panel
    ├── ConfigError         a study file, panel template or setting is wrong
    ├── ContractError       a table that we derived breaks its own schema
    ├── ReviewError         results cannot be signed or unlocked so
    ├── HomeError           a home is missing, newer than this program, or not writable
    │   └── DatabaseAwayError   its database does not answer; it may come back
    └── IntegrityError      stored bytes differ from their recorded hash

A scientifically undefined value is never an exception but a row with a status and a reason; a
defect of ours is an ordinary Python exception and reaches the user as a traceback.
"""


class CorelabError(Exception):
    """Something a user can mend; its text is one line.

    Parameters
    ----------
    found
        What was found, in words.
    place
        The file and the place inside it (``labs.csv:12 column unit``).
    expected
        What should have been there.
    remedy
        How to mend it.
    """

    def __init__(self, found: str, *, place: str = "", expected: str = "", remedy: str = "") -> None:
        self.found = found
        self.place = place
        self.expected = expected
        self.remedy = remedy
        text = f"{place}: {found}" if place else found
        if expected:
            text += f"; expected {expected}"
        if remedy:
            text += f"; {remedy}"
        super().__init__(" ".join(text.split()))


class InputError(CorelabError):
    """A delivered file or row does not hold what it should."""


class FcsReadError(InputError):
    """An FCS file cannot be read right, so it is not read at all."""


class TableReadError(InputError):
    """A delivered table cannot be read at all."""


class PlateReadError(InputError):
    """The export of a plate reader cannot be read right, so it is not read at all."""


class UploadOffsetError(InputError):
    """A piece of an upload does not begin where the file ends now; ``offset`` is the right place."""

    def __init__(self, offset: int, *, place: str = "") -> None:
        self.offset = offset
        super().__init__("the piece belongs elsewhere", place=place, expected=f"one at byte {offset}")


class MarkerError(InputError):
    """The channels of a file cannot be matched to the markers of a panel."""


class ConfigError(CorelabError):
    """A study file, a panel template or a setting is wrong."""


class ContractError(CorelabError):
    """A table that was derived here breaks its own schema."""


class ReviewError(CorelabError):
    """Results cannot be signed or unlocked so, or they are locked."""


class HomeError(CorelabError):
    """A home is missing, newer than this program, or cannot be written."""


class DatabaseAwayError(HomeError):
    """The database of a home does not answer; nothing was changed, and it may come back."""


class IntegrityError(CorelabError):
    """Stored bytes differ from their recorded hash."""

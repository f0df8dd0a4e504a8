"""What a checked row must pass besides its own layout: the child, a withdrawal, a locked plate."""

from corelab.errors import InputError
from corelab.ingest.book import Book, row_object
from corelab.ingest.merging import merge_rows
from corelab.ingest.rows import CheckedRow


def check_subject(book: Book, checked: CheckedRow, *, place: str) -> None:
    """Refuse a row of a child that is not known, or from before its birth."""
    withdrawn = ("child", checked.subject_id) in book.withdrawn
    if checked.kind == "subjects" or not checked.subject_id or withdrawn:
        return
    if not book.knows_subject(checked.subject_id):
        raise InputError(
            f"subject {checked.subject_id!r} is unknown", place=place, expected="a row in subjects.csv"
        )
    born = book.subject(checked.subject_id).get("birth_date", "")
    when = checked.values.get("collected_at") or checked.values.get("start", "")
    if born and when and when[:10] < born:
        raise InputError(f"{when[:10]} lies before the subject's birth", place=place)


def check_withdrawn(book: Book, checked: CheckedRow, *, place: str) -> None:
    """Keep out what was taken out of analysis, under whatever file it comes again."""
    objects = {
        "subject": ("child", checked.subject_id),
        "file": ("file", checked.values.get("file_id", "")),
        "row": ("row", row_object(checked.kind, checked.key)),
    }
    for what, identity in objects.items():
        if identity in book.withdrawn:
            reason = book.withdrawn[identity]
            raise InputError(f"this {what} was withdrawn ({reason})", place=place)


def check_lock(book: Book, checked: CheckedRow, *, place: str) -> None:
    """Keep out what would change a locked plate; what is known already changes nothing."""
    present = book.present.get((checked.kind, checked.key))
    conflicts, merged = merge_rows(present.values, checked.values) if present else ({}, {})
    is_known = present is not None and not conflicts and merged == present.values
    if book.is_locked(checked.values) and not is_known:
        raise InputError(
            f"plate {checked.values['plate']} is locked", place=place,
            remedy="a reviewer unlocks it, then deliver the row again",
        )  # fmt: skip

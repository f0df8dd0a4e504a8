"""What waits at the door, as rows: files without a tube, corrections, the rest of the quarantine."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from corelab.figures.numbers import format_count
from corelab.store.jobs import DONE, FAILED, RUNNING, Job
from corelab.store.proposals import FIELDS, Remark
from corelab.store.resolving import list_unnamed
from dashboards.shell import format_time
from dashboards.site import Site


def list_file_rows(site: Site) -> list[dict[str, Any]]:
    """Return the files that belong to no tube yet, with what is proposed and why."""
    return [
        {
            "file_id": one.file_id, "name": one.name,
            **{field: one.proposal.values.get(field, "") for field in FIELDS},
            "beads_per_tube": "", "batch": "",
            "why": " · ".join(write_remark(site, remark) for remark in one.proposal.reasons),
            "against": " · ".join(write_remark(site, remark) for remark in one.proposal.conflicts),
            "waits": site.say(one.reason),
        }
        for one in list_unnamed(site.whole_home)
    ]  # fmt: skip


def write_remark(site: Site, remark: Remark) -> str:
    """Write a reason or a conflict in words."""
    return site.text(f"upload.why.{remark.word}", **remark.details)


def list_correction_rows(site: Site) -> list[dict[str, Any]]:
    """Return corrections that wait, old beside new, one row for each changed field."""
    rows = []
    for one in site.home.registry.corrections().to_dict(orient="records"):
        old, new = json.loads(one["old"] or "{}"), json.loads(one["new"])
        for field, value in new.items():
            before = old.get(field, "")
            if value and before and value != before:
                rows.append(
                    {
                        "record_id": int(one["id"]), "source": one["source"],
                        "what": " ".join(json.loads(one["key"])[1:]), "field": field, "old": before,
                        "new": value,
                    }
                )  # fmt: skip
    return rows


def list_held_rows(site: Site, files: Sequence[Mapping[str, Any]] | None = None) -> list[dict[str, Any]]:
    """Return everything that waits beside the files without a tube, with its reason."""
    unnamed = {row["file_id"] for row in (list_file_rows(site) if files is None else files)}
    return [
        {
            "path": row["path"], "reason": site.say(row["reason"]),
            "since": format_time(site, row["recorded_at"]),
            "object": f"{row['file_id']}:{row['row']}" if row["row"] else row["file_id"],
        }
        for row in site.home.registry.quarantine_rows()
        if row["row"] or row["file_id"] not in unnamed
    ]  # fmt: skip


def read_progress(job: Job) -> tuple[int, int]:
    """Return how much of a piece of work is done, and of how much; zeros while nobody knows."""
    done, total = (int(job.report.get(name, 0) or 0) for name in ("done", "total"))
    return done, total


def write_job(site: Site, job: Job) -> str:
    """Write one line about a piece of work."""
    if job.state == FAILED:
        return site.text("upload.job.failed", id=job.id, error=site.say(str(job.report.get("error", ""))))
    if job.state != DONE:
        done, total = read_progress(job)
        if job.state == RUNNING and total:
            return site.text(f"run.{job.kind}.progress", done=format_count(done), total=format_count(total))
        return site.text(f"upload.job.{job.kind}.{job.state}", id=job.id)
    if job.kind != "ingest":
        return site.text(f"upload.job.{job.kind}.done", snapshot=job.report.get("snapshot", ""))
    counts = job.report.get("counts", {})
    return site.text(
        "upload.job.ingest.done", id=job.id, files=counts.get("files_new", 0),
        known=counts.get("files_known", 0),
        rows=counts.get("rows_new", 0), waiting=len(job.report.get("waiting", [])),
        corrections=len(job.report.get("corrections", [])),
    )  # fmt: skip

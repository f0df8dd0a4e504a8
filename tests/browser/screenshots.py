"""Takes a picture of every page of a home in both schemes and languages, to be looked at.

    python -m tests.browser.screenshots HOME [--out build/screenshots] [--size 1440x900] [--pages /,/cohort]
        [--languages en,zh] [--sheet docs/contact_sheet.jpg]

Accounts of its own are made for the run and shut again afterwards; the home is opened as it is. The sheet is
one picture of all pages, each in every scheme and language.
Chinese needs a font of the machine (Debian: fonts-noto-cjk); where there is none, the command says so and
leaves Chinese out, rather than taking pictures of empty boxes.
"""

import argparse
import base64
import datetime as dt
import itertools
import secrets
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from corelab.figures.catalog import LANGUAGES
from corelab.store.home import Home, open_home
from corelab.store.snapshots import Snapshot
from corelab.vocabulary import Role
from dashboards.app import create_app
from tests.browser.chromium import log_in, serve, start_chromium

SHEET_COLUMNS = 6
THUMB_PX = 400
MOST_CHILDREN = 4
MOST_SHEET_BYTES = 1_000_000
UPLOAD = "/upload"


def main() -> None:
    given = read_arguments()
    width, height = map(int, given.size.split("x"))
    given.out.mkdir(parents=True, exist_ok=True)
    home = open_home(given.home)
    secret = secrets.token_urlsafe(16)
    accounts = {
        role: f"pictures-{secrets.token_hex(2)}{number}"
        for number, role in enumerate((Role.REVIEWER, Role.SCIENTIST))
    }
    for role, name in accounts.items():
        home.registry.users.add(name, role=role, password=secret, at=dt.datetime.now(dt.UTC))
    app = create_app(home, secret_key=secrets.token_hex(16))
    taken: list[tuple[str, Path]] = []
    try:
        with serve(app) as address, start_chromium() as browser:
            looks = itertools.product(("light", "dark"), list_languages(given.languages))
            for scheme, language in looks:
                look = scheme if language == LANGUAGES[0] else f"{scheme}_{language}"
                paths = given.pages.split(",") if given.pages else list_paths(home)
                for role, name in accounts.items():
                    context = browser.new_context(
                        viewport={"width": width, "height": height}, base_url=address
                    )
                    chosen = {"corelab_scheme": scheme, "corelab_language": language}
                    context.add_cookies([{"name": k, "value": v, "url": address} for k, v in chosen.items()])
                    page = context.new_page()
                    log_in(page, address, name, secret)
                    for path in paths:
                        if (path == UPLOAD) == (role is Role.SCIENTIST):
                            target = given.out / f"{name_picture(path)}_{look}.png"
                            take(page, path, target)
                            taken.append((path, target))
                    context.close()
            if given.sheet:
                write_sheet(browser, taken, given.sheet, height / width)
    finally:
        for name in accounts.values():
            home.registry.users.disable(name, at=dt.datetime.now(dt.UTC))


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("home", type=Path)
    parser.add_argument("--out", type=Path, default=Path("build/screenshots"))
    parser.add_argument("--size", default="1440x900")
    parser.add_argument("--pages", default="", help="paths, comma-separated; by default every page")
    parser.add_argument("--languages", default=",".join(LANGUAGES))
    parser.add_argument("--sheet", type=Path, help="one JPEG of all pages")
    return parser.parse_args()


def write_sheet(browser: Any, taken: list[tuple[str, Path]], target: Path, ratio: float) -> None:
    """Lay the pictures out, page by page, and write them as one JPEG under a megabyte."""
    by_page = sorted(taken, key=lambda one: [path for path, _ in taken].index(one[0]))
    cells = []
    for path, picture in by_page:
        data = base64.b64encode(picture.read_bytes()).decode("ascii")
        cells.append(
            f"<figure><img src='data:image/png;base64,{data}'><figcaption>{path}</figcaption></figure>"
        )
    style = (
        f"body{{margin:8px;font:11px sans-serif;background:#777;display:grid;gap:8px;"
        f"grid-template-columns:repeat({SHEET_COLUMNS},{THUMB_PX}px)}}figure{{margin:0}}"
        f"img{{width:{THUMB_PX}px;height:{round(THUMB_PX * ratio)}px;display:block}}"
        "figcaption{color:#fff;padding:2px 0;white-space:nowrap;overflow:hidden}"
    )
    page = browser.new_page(viewport={"width": SHEET_COLUMNS * (THUMB_PX + 8) + 8, "height": 400})
    page.set_content(f"<style>{style}</style>{''.join(cells)}")
    page.wait_for_function("() => [...document.images].every(image => image.complete)")
    for quality in (70, 60, 50, 40, 30):
        page.screenshot(path=target, full_page=True, type="jpeg", quality=quality)
        if target.stat().st_size < MOST_SHEET_BYTES:
            break
    page.close()


def list_languages(given: str) -> list[str]:
    """Return the languages to take; Chinese only where the machine has a font for it."""
    languages = given.split(",")
    if "zh" in languages and not has_chinese_font():
        sys.stderr.write("no font for Chinese is installed (Debian: fonts-noto-cjk); Chinese is left out\n")
        languages.remove("zh")
    return languages


def has_chinese_font() -> bool:
    """Tell whether fontconfig knows a font for Simplified Chinese."""
    if shutil.which("fc-list") is None:
        return True  # a machine without fontconfig draws with fonts of its own
    return bool(subprocess.run(["fc-list", ":lang=zh-cn"], capture_output=True, check=False).stdout.strip())


def list_paths(home: Home) -> list[str]:
    """Return the pages to take, a page for each of the first children of the snapshot."""
    snapshot = home.snapshots.current()
    children = [] if snapshot is None else list(snapshot.table("subjects")["subject_id"])
    gates = [] if snapshot is None else list_gates(snapshot)
    views = [f"/outcomes?view={view}" for view in ("safety", "response", "expansion")]
    views += [f"/cytokines?view={view}" for view in ("courses", "plates", "controls")]
    views += [f"/phenotype?view={view}" for view in ("map", "clusters", "subsets")]
    people = [f"/patients/{child}" for child in children[:MOST_CHILDREN]]
    rest = ["/cohort", *views, "/exports?table=persistence", "/review", "/audit"]
    return ["/", "/?view=trends", UPLOAD, "/samples", *gates, "/screening", *people, *rest]


def list_gates(snapshot: Snapshot) -> list[str]:
    """Return the full tube of each panel with most of what is looked for in it."""
    table = snapshot.table("populations")
    paths = []
    for population in ("car_t", "b_cells"):
        rows = table[(table["population"] == population) & (table["tube"] == "full")].dropna(subset=["count"])
        if len(rows):
            file_id = rows.sort_values("count")["file_id"].iloc[-1]
            paths.append(f"/samples/{file_id}?population={population}")
    return paths


def name_picture(path: str) -> str:
    """Return the stem of a page's picture.

    Examples
    --------
    >>> name_picture("/patients/CL-001"), name_picture("/"), name_picture("/outcomes?view=safety")
    ('patients_CL-001', 'home', 'outcomes_safety')
    """
    stem, _, view = path.partition("?view=")
    return (
        "_".join(part for part in (stem.split("?")[0].strip("/").replace("/", "_"), view) if part) or "home"
    )


def take(page: Any, path: str, target: Path) -> None:
    """Open a page, wait until nothing loads any more, and take its picture."""
    page.goto(path)
    page.wait_for_selector("h1")
    page.wait_for_load_state("networkidle")
    page.wait_for_function("() => [...document.images].every(image => image.src && image.complete)")
    page.wait_for_timeout(400)
    page.screenshot(path=target)


if __name__ == "__main__":
    main()

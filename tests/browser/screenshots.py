"""Takes a picture of every page of a home in both schemes and languages, to be looked at.

    python -m tests.browser.screenshots HOME [--out build/screenshots] [--size 1440x900] [--pages /,/cohort]
        [--languages en,zh]

A reader of its own is made for the run and shut again afterwards; the home is opened as it is.
Chinese needs a font of the machine (Debian: fonts-noto-cjk); where there is none, the command says so and
leaves Chinese out, rather than taking pictures of empty boxes.
"""

import argparse
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("home", type=Path)
    parser.add_argument("--out", type=Path, default=Path("build/screenshots"))
    parser.add_argument("--size", default="1440x900")
    parser.add_argument("--pages", default="", help="paths, comma-separated; by default every page")
    parser.add_argument("--languages", default=",".join(LANGUAGES))
    given = parser.parse_args()
    width, height = map(int, given.size.split("x"))
    given.out.mkdir(parents=True, exist_ok=True)
    home = open_home(given.home)
    name, password = f"pictures-{secrets.token_hex(4)}", secrets.token_urlsafe(16)
    home.registry.users.add(name, role=Role.REVIEWER, password=password, at=dt.datetime.now(dt.UTC))
    app = create_app(home, secret_key=secrets.token_hex(16))
    try:
        with serve(app) as address, start_chromium() as browser:
            for scheme, language in itertools.product(("light", "dark"), list_languages(given.languages)):
                context = browser.new_context(viewport={"width": width, "height": height}, base_url=address)
                chosen = {"corelab_scheme": scheme, "corelab_language": language}
                context.add_cookies([{"name": k, "value": v, "url": address} for k, v in chosen.items()])
                look = scheme if language == LANGUAGES[0] else f"{scheme}_{language}"
                page = context.new_page()
                page.goto("/login")
                page.screenshot(path=given.out / f"login_{look}.png")
                log_in(page, address, name, password)
                for path in given.pages.split(",") if given.pages else list_paths(home):
                    take(page, path, given.out / f"{name_picture(path)}_{look}.png")
                context.close()
    finally:
        home.registry.users.disable(name, at=dt.datetime.now(dt.UTC))


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
    """Return the pages to take, a page for each child of the snapshot."""
    snapshot = home.snapshots.current()
    children = [] if snapshot is None else list(snapshot.table("subjects")["subject_id"])
    gates = [] if snapshot is None else list_gates(snapshot)
    views = [f"/outcomes?view={view}" for view in ("safety", "response", "expansion")]
    views += [f"/cytokines?view={view}" for view in ("courses", "plates", "controls")]
    views += [f"/phenotype?view={view}" for view in ("map", "clusters", "subsets")]
    people = [f"/patients/{child}" for child in children]
    rest = ["/cohort", *views, "/exports?table=persistence", "/audit"]
    return ["/", "/samples", *gates, "/screening", *people, *rest]


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

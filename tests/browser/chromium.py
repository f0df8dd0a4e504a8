"""Finding and starting the browser, and serving an app to it."""

import contextlib
import os
import shutil
import threading
from collections.abc import Iterator
from typing import Any

from playwright.sync_api import Browser, sync_playwright
from werkzeug.serving import make_server

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-default-apps", "--disable-extensions",
]  # fmt: skip


def find_chromium() -> str:
    """Return the browser's path; a machine without one fails the run instead of skipping it."""
    path = os.environ.get("CORELAB_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        message = "no Chromium found: install Debian's `chromium` or set CORELAB_CHROMIUM to its path"
        raise RuntimeError(message)
    return path


@contextlib.contextmanager
def start_chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        yield browser
        browser.close()


@contextlib.contextmanager
def serve(app: Any) -> Iterator[str]:
    """Serve a Dash app on a free port and give its address."""
    server = make_server("127.0.0.1", 0, app.server, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def log_in(page: Any, address: str, name: str, password: str, *, target: str = "/") -> None:
    page.goto(f"{address}/login?next={target}")
    page.fill("#username", name)
    page.fill("#password", password)
    page.click("button[type=submit]")
    page.wait_for_selector("#page > *")

"""The dashboard of one home: a Dash application that is given everything it shows."""

import datetime as dt
from collections.abc import Callable
from importlib import metadata, resources
from pathlib import Path
from typing import TYPE_CHECKING, Final

import dash
from flask import Flask, request

from corelab.figures.catalog import LANGUAGES, figure_catalog, read_catalog
from dashboards import routes, shell
from dashboards.access.guard import add_guard
from dashboards.access.headers import add_headers, build_policy, hash_script
from dashboards.access.login import build_blueprint
from dashboards.access.outage import add_outage_answer
from dashboards.access.sent import add_sent_checks
from dashboards.access.sessions import configure_sessions, write_csrf_cookie
from dashboards.api import build_api
from dashboards.components import run_now
from dashboards.desk import Desk
from dashboards.figures_api import build_figures_api
from dashboards.gates_api import build_gates_api
from dashboards.lean_plotly import PATH as LIBRARY
from dashboards.lean_plotly import build_library_routes
from dashboards.ports import HomePort
from dashboards.reviews import build_review_routes
from dashboards.scripts import Scripts, build_script_routes, join_scripts, write_tags
from dashboards.site import Site, SnapshotCache, read_scheme
from dashboards.theme import build_theme_routes
from dashboards.upload_api import build_upload_routes
from dashboards.views.audit import AuditCache

if TYPE_CHECKING:
    from dashboards.access.oidc import Provider

WORDS: Final = {
    language: Path(str(resources.files("dashboards.catalog").joinpath(f"{language}.yaml")))
    for language in LANGUAGES
}
"""The catalog of pages in each language."""

AHEAD: Final = resources.files("dashboards").joinpath("assets", "00-ahead.js").read_text(encoding="utf-8")
"""The script in the page itself, which asks the server while the other scripts are on their way."""

INDEX: Final = """<!doctype html>
<html lang="{language}" data-mantine-color-scheme="{scheme}">
<head>
{metas}
<title>{title}</title>
{favicon}
<script>{ahead}</script>
<link rel="stylesheet" href="/style/tokens.css">
{preload}
{css}
</head>
<body>
{app_entry}
{config}
{scripts}
{renderer}
</body>
</html>
"""


class CorelabDash(dash.Dash):  # type: ignore[misc]  # dash is untyped
    """Dash with a page of our own: its language, its colour scheme and no word that is not ours."""

    site: Site
    joined: Scripts | None = None

    def find_scripts(self) -> Scripts:
        """Return the scripts of all pages; Dash knows them once something was asked for."""
        self.joined = self.joined or join_scripts(self._generate_scripts_html())
        return self.joined

    def interpolate_index(self, **parts: str) -> str:
        """Write the page around the application, in the language and the colours of who asks."""
        scripts = self.find_scripts()
        with_grid = routes.opens_with_grid(request.path)
        with_chart = routes.opens_with_chart(request.path)
        ours = {
            "app_entry": '<div id="react-entry-point"></div>',
            "ahead": AHEAD,
            "preload": f'<link rel="preload" as="script" href="{LIBRARY}">' if with_chart else "",
            "scripts": write_tags(scripts, with_grid=with_grid),
        }
        return INDEX.format(language=self.site.text("page.language"), scheme=read_scheme(), **(parts | ours))


def create_app(
    home: HomePort,
    *,
    secret_key: str,
    secure_cookies: bool = False,
    provider: "Provider | None" = None,
    clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
) -> dash.Dash:
    """Build the dashboard of a home.

    Parameters
    ----------
    home
        The home to show; nothing is read before somebody asks for a page.
    secret_key
        Signs the session cookies. It must stay the same as long as sessions shall live, and be shared by
        all processes that serve the home.
    secure_cookies
        Whether cookies travel over https only; right wherever the dashboard is served over https.
    provider
        By whom people may log in besides their password here, if there is one.
    clock
        Tells the time of logins and downloads.

    Raises
    ------
    ValueError
        If the secret key is shorter than 16 characters.
    """
    if len(secret_key) < 16:
        message = "secret_key must have at least 16 characters"
        raise ValueError(message)
    site = build_site(home, clock=clock, provider=provider.label if provider else "")
    server = Flask("dashboards", static_folder=None)
    server.secret_key = secret_key
    server.config["MAX_CONTENT_LENGTH"] = 4 * 1024 * 1024
    configure_sessions(server, home, clock=clock, secure_cookies=secure_cookies)
    add_guard(server, site)
    add_outage_answer(server, site)
    for blueprint in (
        build_blueprint(site),
        build_theme_routes(),
        build_library_routes(),
        build_api(site),
        build_gates_api(site),
        build_figures_api(site),
        build_review_routes(site),
        build_upload_routes(site),
    ):
        server.register_blueprint(blueprint)
    if provider:
        from dashboards.access.oidc import build_oidc_routes

        server.register_blueprint(build_oidc_routes(server, site, provider))
    app = build_dash(site, server)
    add_sent_checks(server, app.callback_map)
    server.register_blueprint(build_script_routes(app.find_scripts))
    hashes = [*app.csp_hashes(), hash_script(AHEAD)]
    add_headers(server, policy=build_policy(hashes), secure_cookies=secure_cookies)
    server.after_request(lambda response: write_csrf_cookie(response, secure_cookies=secure_cookies))
    server.after_request(lambda response: routes.mark_unknown_page(site, response))
    return app


def build_site(home: HomePort, *, clock: Callable[[], dt.datetime], provider: str = "") -> Site:
    """Read the words and prepare the cache of tables."""
    return Site(
        home=home,
        catalogs={language: read_catalog(path) for language, path in WORDS.items()},
        figure_catalogs={language: figure_catalog(language) for language in LANGUAGES},
        cache=SnapshotCache(home),
        desk=Desk(home),
        trail=AuditCache(home.registry.audit),
        clock=clock,
        version=metadata.version("corelab"),
        provider=provider,
    )


def build_dash(site: Site, server: Flask) -> CorelabDash:
    """Build the Dash application with its shell and its pages."""
    app = CorelabDash(
        "dashboards",
        server=server,
        assets_folder=str(resources.files("dashboards").joinpath("assets")),
        title=site.text("brand"),
        update_title=None,
        meta_tags=[{"name": "viewport", "content": "width=device-width, initial-scale=1"}],
        suppress_callback_exceptions=True,
        serve_locally=True,
        assets_ignore=r"^00-",
        compress=False,
        enable_mcp=False,
    )
    app.site = site
    app.layout = lambda: routes.build_layout(site)
    shell.register(app, site)
    routes.register(app, site)
    run_now.register(app, site)
    for page in routes.PAGES:
        page.register(app, site)
    return app

"""How to take a table from a script: programs that work as printed."""

from typing import Any, Final

from dash import html

from dashboards.site import Site

PYTHON: Final = """\
import io, os, urllib.request
import pandas as pd

request = urllib.request.Request(
    "{host}api/v1/tables/{table}.parquet?snapshot={snapshot}",
    headers={{"Authorization": "Bearer " + os.environ["CORELAB_TOKEN"]}},
)
with urllib.request.urlopen(request) as answer:
    {table} = pd.read_parquet(io.BytesIO(answer.read()))
print({table})
"""
R: Final = """\
library(httr2)

take <- function(path) {{
  request(paste0("{host}api/v1/", path)) |>
    req_url_query(snapshot = "{snapshot}") |>
    req_auth_bearer_token(Sys.getenv("CORELAB_TOKEN")) |>
    req_perform() |>
    resp_body_string()
}}
about <- read.csv(text = take("dictionary.csv"), colClasses = "character")
about <- about[about$table == "{table}", ]
kinds <- c(text = "character", number = "numeric", integer = "integer")[about$type]
{table} <- read.csv(text = take("tables/{table}.csv"), na.strings = "",
                    check.names = FALSE, colClasses = setNames(kinds, about$name))
print({table})
"""
COMMANDS: Final = (
    ("csv", "corelab export HOME OUT --format csv --snapshot {snapshot}"),
    ("parquet", "corelab export HOME OUT --format parquet --snapshot {snapshot}"),
    ("xlsx", "corelab export HOME OUT --format xlsx --snapshot {snapshot}"),
    ("xpt", "corelab export HOME OUT --format xpt --snapshot {snapshot}"),
    ("h5ad", "corelab export HOME OUT --format h5ad --snapshot {snapshot}"),
    ("pdf", "corelab export HOME OUT --format pdf --language en --snapshot {snapshot}"),
    ("replay", "corelab export HOME OUT --tables {table} --replay --snapshot {snapshot}"),
    ("token", "corelab user token HOME {account} --days 90 --tables {table}"),
)


def build_snippets(site: Site, values: dict[str, str]) -> Any:
    """Build the programs and commands for one table.

    Parameters
    ----------
    site
        The site, for its words.
    values
        ``host`` (with a slash at its end), ``table``, ``snapshot`` and ``account``.
    """
    programs = [
        html.Section([html.H3(site.text(f"exports.snippet.{name}")), build_code(text.format(**values))])
        for name, text in (("python", PYTHON), ("r", R))
    ]
    rows = [
        html.Tr(
            [
                html.Th(site.text(f"exports.command.{name}"), scope="row"),
                html.Td(html.Code(text.format(**values))),
            ]
        )
        for name, text in COMMANDS
    ]
    return html.Details(
        [
            html.Summary(site.text("exports.elsewhere")),
            html.Div(programs, className="programs"),
            html.P(site.text("exports.snippet.token"), className="quiet"),
            html.Table(html.Tbody(rows), className="plain commands"),
        ],
        className="card elsewhere",
        id="exports-elsewhere",
    )


def build_code(text: str) -> Any:
    """Build a block of code that the keyboard can reach and scroll."""
    return html.Pre(html.Code(text), tabIndex="0")

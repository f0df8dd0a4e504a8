"""Finding and using the marks of a child's course."""

from typing import Any

_FIND = """([row, label]) => {
  const gd = document.querySelector('#patient-graph .js-plotly-plot');
  const box = gd.getBoundingClientRect();
  for (const trace of gd._fullData) {
    const at = (trace.customdata || []).findIndex(c => Array.isArray(c) && c[1] === row && c[2] === label);
    if (at < 0) continue;
    const x = gd._fullLayout[trace.xaxis.replace('x', 'xaxis')];
    const y = gd._fullLayout[trace.yaxis.replace('y', 'yaxis')];
    return [box.left + x._offset + x.d2p(trace.x[at]), box.top + y._offset + y.d2p(trace.y[at])];
  }
  return null;
}"""

_HOVERED = """([row, label]) => {
  const gd = document.querySelector('#patient-graph .js-plotly-plot');
  const meant = p => p.customdata && p.customdata[1] === row && p.customdata[2] === label;
  return (gd._hoverdata || []).some(meant);
}"""


def open_course(page: Any, subject: str) -> None:
    page.goto(f"/patients/{subject}")
    wait_for_course(page, subject)


def wait_for_course(page: Any, subject: str) -> None:
    """Wait until the figure of a child is drawn and its cursor is attached."""
    page.wait_for_function(
        """subject => {
          const gd = document.querySelector('#patient-graph .js-plotly-plot');
          return gd && gd.dataset.watched && gd._fullData
            && gd._fullData.some(t => (t.customdata || []).some(c => c && c[0] === subject));
        }""",
        arg=subject,
    )


def find_mark(page: Any, row: str, label: str) -> tuple[float, float]:
    found = page.evaluate(_FIND, [row, label])
    assert found is not None, f"no mark for {row} at {label}"
    return found[0], found[1]


def click_mark(page: Any, row: str, label: str) -> None:
    x, y = find_mark(page, row, label)
    page.mouse.move(x - 1, y)
    page.mouse.move(x, y)
    # A click takes what the pointer is found to be over, which follows it at its own pace.
    page.wait_for_function(_HOVERED, arg=[row, label])
    page.mouse.click(x, y)


def read_zoom(page: Any) -> list[float]:
    return page.evaluate(
        "document.querySelector('#patient-graph .js-plotly-plot')._fullLayout.xaxis.range.slice()"
    )

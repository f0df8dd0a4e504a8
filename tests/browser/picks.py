"""Finding and using the marks of charts whose marks can be chosen."""

from typing import Any

_FIND = """([chart, words]) => {
  const gd = document.querySelector('#' + chart + ' .js-plotly-plot');
  if (!gd || !gd.dataset.picks || !gd._fullData) { return null; }
  const box = gd.getBoundingClientRect();
  const fits = c => Array.isArray(c) && words.every((word, i) => c[i] === word);
  const place = (trace, x, y) => {
    const a = gd._fullLayout[(trace.xaxis || 'x').replace('x', 'xaxis')];
    const b = gd._fullLayout[(trace.yaxis || 'y').replace('y', 'yaxis')];
    return [box.left + a._offset + a.d2p(x), box.top + b._offset + b.d2p(y)];
  };
  for (const trace of gd._fullData) {
    const all = Array.from(trace.customdata || []);
    for (let i = 0; i < all.length; i += 1) {
      if (trace.type === 'heatmap') {
        const j = all[i].findIndex(fits);
        if (j >= 0) { return place(trace, trace.x[j], trace.y[i]); }
      } else if (fits(all[i])) { return place(trace, trace.x[i], trace.y[i]); }
    }
  }
  return null;
}"""


def click_pick(page: Any, chart: str, *words: str) -> None:
    """Wait for a mark, move to it as a hand does, and click it."""
    handle = page.wait_for_function(_FIND, arg=[chart, list(words)])
    x, y = handle.json_value()
    page.mouse.move(x + 3, y + 1)
    page.mouse.move(x, y)
    page.mouse.click(x, y)

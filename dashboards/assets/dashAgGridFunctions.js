/* How a number is written in a grid: three significant digits, thousands apart, a true minus. */
(function () {
  "use strict";
  const functions = (window.dashAgGridFunctions = window.dashAgGridFunctions || {});

  functions.count = function (value) {
    if (value === null || value === undefined) { return ""; }
    return String(Math.round(value)).replace(/\B(?=(\d{3})+(?!\d))/g, "\u202f").replace("-", "\u2212");
  };

  functions.estimate = function (value) {
    if (value === null || value === undefined) { return ""; }
    if (value === 0) { return "0"; }
    const sign = value < 0 ? "\u2212" : "";
    const size = Number(Math.abs(value).toPrecision(3));
    if (size >= 1e9 || size < 1e-4) { return sign + size.toExponential(2).replace("-", "\u2212"); }
    const parts = size.toFixed(Math.max(0, 2 - Math.floor(Math.log10(size)))).split(".");
    return sign + [functions.count(Number(parts[0]))].concat(parts.slice(1)).join(".");
  };
})();

"use strict";
(function () {
  var charts = JSON.parse(document.getElementById("charts").textContent);
  var drawn = [];
  Object.keys(charts).forEach(function (name) {
    var place = document.getElementById("chart-" + name);
    if (!place) { return; }
    Plotly.newPlot(place, charts[name].data, charts[name].layout, { responsive: true, displayModeBar: false });
    drawn.push(place);
  });
  // On paper the charts take the width of an A4 column, and whatever was folded is opened.
  var folded = [];
  window.addEventListener("beforeprint", function () {
    drawn.forEach(function (place) { Plotly.relayout(place, { autosize: false, width: 690 }); });
    folded = Array.prototype.filter.call(document.querySelectorAll("details"), function (one) { return !one.open; });
    folded.forEach(function (one) { one.open = true; });
  });
  window.addEventListener("afterprint", function () {
    drawn.forEach(function (place) { Plotly.relayout(place, { autosize: true, width: null }); });
    folded.forEach(function (one) { one.open = false; });
  });
})();

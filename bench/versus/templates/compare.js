// SPDX-License-Identifier: Apache-2.0
// Draws the plots that page.py describes.
'use strict';

(() => {
  const plots = JSON.parse(document.getElementById('plots-data').textContent);
  const NAMES = ['generator', 'seeded', 'short', 'msan', 'tsan', 'afl'];
  // Lines differ by dashes too, for readers who cannot distinguish the colours.
  const DASHES = [[], [6, 3], [2, 2], [8, 3, 2, 3], [10, 4], [4, 6]];
  const drawn = new Map();

  const colour = (name) =>
    getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim();

  function dataset(plot, set, i) {
    const line = colour(NAMES[i % NAMES.length]);
    const judged = set.met
      ? set.met.map((met) => colour(met === null ? 'afl' : met ? 'green' : 'red'))
      : line;
    return {
      label: set.label, data: set.data, borderColor: plot.type === 'bar' ? judged : line,
      backgroundColor: judged, borderDash: DASHES[i % DASHES.length],
      borderWidth: plot.type === 'bar' ? 0 : 1.5, pointRadius: 2, spanGaps: true,
    };
  }

  function axis(isLogarithmic, title) {
    return {
      type: isLogarithmic ? 'logarithmic' : 'linear', beginAtZero: !isLogarithmic,
      title: {display: Boolean(title), text: title, color: colour('muted')},
      grid: {color: colour('rule')}, ticks: {color: colour('muted'), maxTicksLimit: 8},
    };
  }

  function options(plot) {
    const values = axis(plot.logarithmic, plot.unit);
    const labels = {
      type: 'category', grid: {color: colour('rule')},
      ticks: {color: colour('muted'), autoSkip: false, font: {size: 11}},
    };
    const flat = plot.flat === true;
    return {
      animation: false, maintainAspectRatio: false, indexAxis: flat ? 'y' : 'x',
      scales: flat ? {x: values, y: labels} : {x: labels, y: values},
      plugins: {legend: {display: plot.datasets.length > 1, labels: {color: colour('text')}}},
    };
  }

  function draw(canvas) {
    const plot = plots[canvas.dataset.plot];
    drawn.set(canvas, new Chart(canvas, {
      type: plot.type,
      data: {
        labels: plot.labels,
        datasets: plot.datasets.map((set, i) => dataset(plot, set, i)),
      },
      options: options(plot),
    }));
  }

  const canvases = document.querySelectorAll('canvas[data-plot]');
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
    for (const [canvas, chart] of [...drawn]) {
      chart.destroy();
      draw(canvas);
    }
  });
  canvases.forEach(draw);
})();

// SPDX-License-Identifier: Apache-2.0
// Draws each plot when it first comes near the window, and again when the colours change.
'use strict';

(() => {
  // Lanes differ by dashes too, for readers who cannot distinguish the colours.
  const DASHES = {
    generator: [], seeded: [6, 3], short: [2, 2], msan: [8, 3, 2, 3], tsan: [10, 4], afl: [4, 6],
  };
  const targets = JSON.parse(document.getElementById('plots-data').textContent);
  const drawn = new Map();

  const colour = (name) =>
    getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim();

  const short = new Intl.NumberFormat('en', {notation: 'compact', maximumFractionDigits: 1});
  const whole = new Intl.NumberFormat('en', {maximumFractionDigits: 1});

  // 1.4K is as exact as 1,400, but not as exact as 1,412.
  function isShortExact(value) {
    const size = Math.abs(value);
    const unit = size < 1000 ? 1 : size < 1e6 ? 1e3 : 1e6;
    return unit === 1 || size % (unit / 10) === 0;
  }

  // Short labels are used only if all are exact, so that the labels of an axis differ.
  function valueLabel(value, _index, ticks) {
    const format = ticks.every((tick) => isShortExact(tick.value)) ? short : whole;
    return format.format(value);
  }

  function clock(seconds) {
    const all = Math.round(seconds);
    const minutes = Math.floor(all / 60);
    const parts = [[Math.floor(minutes / 60), 'h'], [minutes % 60, 'min'], [all % 60, 's']];
    const said = parts.filter(([n]) => n).map(([n, unit]) => `${n} ${unit}`);
    return said.slice(0, 2).join(' ') || '0 s';
  }

  // All plots of a night have the same time axis.
  const lanesOfAll = targets.flatMap((target) => Object.values(target.lanes));
  const last = Math.max(1, ...lanesOfAll.flatMap((columns) => columns.t.slice(-1)));

  // A round number of seconds, so that there are at most five steps.
  function timeStep() {
    const steps = [1, 5, 10, 30, 60, 300, 600, 1800, 3600, 7200, 14400, 28800];
    return steps.find((step) => last / step <= 5) || Math.ceil(last / 5 / 86400) * 86400;
  }

  function dataset(lane, columns, key) {
    const data = columns.t.map((t, i) => ({x: t, y: columns[key][i]}));
    return {
      label: lane,
      data,
      borderColor: colour(lane),
      backgroundColor: colour(lane),
      borderDash: DASHES[lane],
      borderWidth: 1.5,
      // A few points are shown as points: a lane idles between its slices.
      pointRadius: data.length < 40 ? 2 : 0,
      pointHitRadius: 6,
      spanGaps: true,
      stepped: key === 'execs_per_s' ? false : 'before',
    };
  }

  // Coverage and corpora start high and grow little: only the axis of speed starts at 0.
  function axes(key) {
    const common = {grid: {color: colour('rule'), borderColor: colour('rule')}};
    const ticks = {color: colour('muted'), maxRotation: 0, font: {size: 11}};
    return {
      x: {
        ...common, type: 'linear', min: 0, max: last,
        ticks: {...ticks, stepSize: timeStep(), includeBounds: false, callback: clock},
      },
      y: {
        ...common, beginAtZero: key === 'execs_per_s',
        ticks: {...ticks, maxTicksLimit: 5, precision: 0, callback: valueLabel},
      },
    };
  }

  function options(key) {
    return {
      animation: false,
      maintainAspectRatio: false,
      interaction: {mode: 'nearest', axis: 'x', intersect: false},
      scales: axes(key),
      plugins: {
        legend: {display: false},
        tooltip: {
          callbacks: {
            title: (items) => items.length ? clock(items[0].parsed.x) : '',
            label: (item) => `${item.dataset.label}: ${whole.format(item.parsed.y)}`,
          },
        },
      },
    };
  }

  function draw(canvas) {
    const lanes = Object.entries(targets[canvas.dataset.target].lanes);
    const key = canvas.dataset.key;
    const datasets = lanes.map(([lane, columns]) => dataset(lane, columns, key));
    const config = {type: 'line', data: {datasets}, options: options(key)};
    drawn.set(canvas, new Chart(canvas, config));
  }

  function paintLegend() {
    for (const item of document.querySelectorAll('.legend [data-lane]')) {
      const path = item.querySelector('path');
      path.style.stroke = colour(item.dataset.lane);
      path.style.strokeDasharray = (DASHES[item.dataset.lane] || []).join(' ');
    }
  }

  const near = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (entry.isIntersecting && !drawn.has(entry.target)) {
        draw(entry.target);
      }
    }
  }, {rootMargin: '400px'});

  // On paper all plots are visible.
  addEventListener('beforeprint', () => {
    document.querySelectorAll('canvas[data-key]').forEach((canvas) => {
      if (!drawn.has(canvas)) {
        draw(canvas);
      }
    });
  });

  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
    paintLegend();
    for (const [canvas, chart] of [...drawn]) {
      chart.destroy();
      draw(canvas);
    }
  });
  paintLegend();
  document.querySelectorAll('canvas[data-key]').forEach((canvas) => near.observe(canvas));
})();

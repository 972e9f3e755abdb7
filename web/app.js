/* SPDX-License-Identifier: MIT */
/*
 * XenMon's page: listens to /api/v1/stream and draws what it says.
 *
 * Nothing of what a guest chose ever becomes markup: texts are set as text, and the policy that the server
 * sends would let no script of theirs run.  All addresses are relative to the page.
 */
"use strict";
(() => {
  const POINTS = 300; // of the charts: five minutes at one a second
  const STALE_MS = 3500; // without an event the page says so
  const RETRY_MS = 2000; // when the browser has given up on the stream
  const MULTIPLES = 6;
  const STEP_S = 5; // of what the server remembers
  const RECENT_S = 55; // a multiple of that, within the minute that the server has of some
  const MANY = 200; // of so many domains less is asked
  const REMEMBERED = 24; // domains whose past is asked for when the page is opened: those that ran longest
  const RANGES = {
    // what is drawn of the past; those without `live` are asked for again so often
    "5m": { words: "last five minutes", live: true },
    "1h": { words: "last hour", from: "-1h", step: 20, every_ms: 20000 },
    "24h": { words: "last day", from: "-24h", step: 300, every_ms: 150000 },
  };
  const LINES = 5;
  const ROWS_AT_FIRST = 100;
  const STATES = [
    // drawn from the top of the stack downwards
    { key: "offline", label: "offline", field: "offline_ratio" },
    { key: "unknown", label: "unknown", field: "unknown_ratio" },
    { key: "blocked", label: "blocked", field: "blocked_ratio" },
    { key: "waiting", label: "waiting", field: "wait_ratio" },
    { key: "running", label: "running", field: "running_ratio" },
  ];
  const CPU_STATES = [
    { key: "running", label: "busy", field: "busy_ratio" },
    { key: "switching", label: "switching", field: "switching_ratio" },
    { key: "unknown", label: "unknown", field: "unknown_ratio" },
    { key: "idle", label: "idle", field: "idle_ratio" },
  ];
  const CPU_STACK = [...CPU_STATES].reverse();
  const PERCENTILES = [
    { key: "p50", label: "50 %", get: (w) => w.wait_p["50"] },
    { key: "p95", label: "95 %", get: (w) => w.wait_p["95"] },
    { key: "p99", label: "99 %", get: (w) => w.wait_p["99"] },
    { key: "max", label: "longest", get: (w) => w.wait_p.max },
  ];

  // ---- Elements.

  const byId = (id) => document.getElementById(id);

  function make(tag, properties, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(properties || {})) {
      if (name === "class") element.className = value;
      else if (name in element) element[name] = value;
      else element.setAttribute(name, value);
    }
    element.append(...children);
    return element;
  }

  const setText = (element, text) => {
    if (element.textContent !== text) element.textContent = text;
  };

  const svg = (tag, attributes) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    return element;
  };

  // ---- Numbers as people read them.

  const NONE = "–";
  const known = (x) => x !== null && x !== undefined;
  const digits = (x) => (x >= 100 ? x.toFixed(0) : x >= 10 ? x.toFixed(1) : x.toFixed(2));

  function percent(ratio) {
    if (!known(ratio)) return NONE;
    const p = ratio * 100;
    if (p > 0 && p < 0.1) return "<0.1 %";
    return `${p >= 99.95 ? p.toFixed(0) : p.toFixed(1)} %`;
  }

  function seconds(s) {
    if (!known(s)) return NONE;
    if (s === 0) return "0";
    if (s < 0.9995e-6) return `${(s * 1e9).toFixed(0)} ns`;
    if (s < 0.9995e-3) return `${digits(s * 1e6)} µs`;
    if (s < 0.9995) return `${digits(s * 1e3)} ms`;
    return `${digits(s)} s`;
  }

  const short = (s) => seconds(s).replace(/\.0+ /, " "); // on axes: "10 ms"

  function count(x) {
    if (!known(x)) return NONE;
    if (x >= 1e9) return `${digits(x / 1e9)} G`;
    if (x >= 1e6) return `${digits(x / 1e6)} M`;
    if (x >= 1e4) return `${digits(x / 1e3)} k`;
    return x >= 100 || Number.isInteger(x) ? x.toFixed(0) : digits(x);
  }

  const duration = (s) => {
    if (!known(s)) return NONE;
    if (s < 120) return `${s.toFixed(0)} s`;
    if (s < 7200) return `${(s / 60).toFixed(0)} min`;
    return s < 172800 ? `${(s / 3600).toFixed(1)} h` : `${(s / 86400).toFixed(1)} d`;
  };

  const plural = (n, word) => `${n} ${word}${n === 1 ? "" : "s"}`;
  const nameOf = (d) => (known(d.name) ? d.name : `domain ${d.domid}`);
  const keyOf = (d) => `${d.domid}.${d.instance}`;
  const sum = (values) => values.reduce((a, b) => a + b, 0);

  // ---- What has been seen: the last POINTS snapshots, a value for each time and domain.

  const FIELDS = {
    running: (w) => w.running_ratio,
    waiting: (w) => w.wait_ratio,
    blocked: (w) => w.blocked_ratio,
    offline: (w) => w.offline_ratio,
    unknown: (w) => w.unknown_ratio,
    p50: PERCENTILES[0].get,
    p95: PERCENTILES[1].get,
    p99: PERCENTILES[2].get,
    max: PERCENTILES[3].get,
    io: (w) => w.io.per_s,
  };
  const RECENT = { io: "io_per_s", max: "wait_max_s" }; // the server has a minute of these
  const HISTORY = {
    running: "running_ratio",
    waiting: "wait_ratio",
    blocked: "blocked_ratio",
    offline: "offline_ratio",
    unknown: "unknown_ratio",
  };

  const past = {
    times: [],
    domains: new Map(), // key -> {name, series: {field: []}}
    cpus: Object.fromEntries(CPU_STATES.map((s) => [s.key, []])), // of all pCPUs together

    clear() {
      this.times = [];
      this.domains.clear();
      for (const s of CPU_STATES) this.cpus[s.key] = [];
    },

    entry(key, name) {
      let entry = this.domains.get(key);
      if (!entry) {
        entry = { name, series: {} };
        for (const field of Object.keys(FIELDS)) entry.series[field] = this.times.map(() => null);
        this.domains.set(key, entry);
      }
      entry.name = name;
      return entry;
    },

    // A time after the last one; every domain gets a value for it, or null.
    add(time, domains, window, host) {
      const last = this.times[this.times.length - 1];
      if (last !== undefined && time <= last) {
        if (time > last - 1) return;
        this.clear(); // another run, or a clock that was set
      } else if (last !== undefined && time - last > 5) {
        this.push(last + 1, new Map(), window, null); // nobody looked in between: the lines break
      }
      this.push(time, new Map(domains.map((d) => [keyOf(d), d])), window, host);
    },

    push(time, seen, window, host) {
      this.times.push(time);
      for (const s of CPU_STATES) this.cpus[s.key].push(host && known(host[s.field]) ? host[s.field] : null);
      for (const [key, d] of seen)
        if (!this.domains.has(key)) {
          const entry = this.entry(key, nameOf(d));
          for (const values of Object.values(entry.series)) values.pop();
        }
      const excess = this.times.length > POINTS || this.times[0] < time - POINTS;
      for (const [key, entry] of this.domains) {
        const d = seen.get(key);
        const w = d && d.windows[window];
        if (d) entry.name = nameOf(d);
        for (const [field, get] of Object.entries(FIELDS)) {
          const value = w ? get(w) : null;
          entry.series[field].push(known(value) ? value : null);
          if (excess) entry.series[field].shift();
        }
        if (!d && entry.series.running.every((v) => v === null)) this.domains.delete(key);
      }
      if (!excess) return;
      this.times.shift();
      for (const s of CPU_STATES) this.cpus[s.key].shift();
    },

    // What the server remembers from before the page was opened, or while nobody listened.
    fill(history, recent) {
      this.clear();
      this.times = history.times_s.slice(-POINTS);
      for (const s of CPU_STATES) this.cpus[s.key] = history.cpus[s.field].slice(-POINTS);
      for (const d of history.domains) {
        if (this.domains.has(keyOf(d))) continue; // an id of an earlier run of xenbaked
        const entry = this.entry(keyOf(d), nameOf(d));
        for (const [field, metric] of Object.entries(HISTORY))
          entry.series[field] = d.values[metric].slice(-POINTS);
      }
      for (const d of recent ? recent.domains : []) {
        const entry = this.domains.get(keyOf(d));
        for (const [field, metric] of entry ? Object.entries(RECENT) : []) {
          if (!d.values[metric]) continue;
          const values = d.values[metric].slice(-this.times.length);
          entry.series[field].splice(this.times.length - values.length, values.length, ...values);
        }
      }
    },
  };

  // ---- Charts.

  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const charts = new Set();
  const DASHES = [[], [6, 3], [2, 2], [8, 3, 2, 3], [1, 4]];

  /*
   * A chart in `host`.  lines: [{key, label}], `key` names its colour; stacked: each lies on those after it.
   * set(times, values) draws; values[i] are those of lines[i], null where nothing is known.
   */
  class Chart {
    constructor(host, options) {
      this.host = host;
      this.options = options;
      this.lines = options.lines || [];
      this.data = null;
      this.plot = null;
      new ResizeObserver(() => this.resize()).observe(host);
      charts.add(this);
    }

    width() {
      return Math.max(120, Math.floor(this.host.clientWidth));
    }

    resize() {
      if (this.plot && this.plot.width !== this.width())
        this.plot.setSize({ width: this.width(), height: this.options.height });
    }

    lineOptions(line, i) {
      const colour = css(line.key);
      if (this.options.stacked)
        return { label: line.label, fill: colour, stroke: colour, width: 0, points: { show: false } };
      return {
        label: line.label,
        stroke: colour,
        width: 1.75,
        dash: DASHES[i % DASHES.length],
        spanGaps: false,
        points: { show: false },
      };
    }

    build() {
      if (this.plot) this.plot.destroy();
      const o = this.options;
      const axis = {
        stroke: css("dim"),
        grid: { stroke: css("grid"), width: 1 },
        ticks: { stroke: css("grid"), width: 1 },
        font: "11px system-ui, sans-serif",
      };
      this.host.textContent = "";
      this.plot = new uPlot(
        {
          width: this.width(),
          height: o.height,
          legend: { show: false },
          pxAlign: 1,
          padding: [8, 8, 0, 0],
          cursor: { show: !o.small, drag: { x: false, y: false }, points: { show: false } },
          scales: {
            x: {
              time: true,
              range: (u, low, high) => [Math.max(low, Math.min(this.first, high - 60)), high],
            },
            y: o.log ? { distr: 3, log: 10, range: logRange } : { range: o.range || ceiling },
          },
          axes: [
            {
              ...axis,
              size: 26,
              space: o.small ? 50 : 70,
              values: o.small ? clockOf({}) : clockOf({ second: "2-digit" }),
            },
            {
              ...axis,
              size: o.small ? 44 : 62,
              space: o.small ? 28 : 34,
              values: (u, ticks) => ticks.map((t) => (o.axis || o.format)(t)),
              ...(o.log ? { splits: decades, filter: (u, ticks) => ticks } : {}),
            },
          ],
          series: [{}, ...this.lines.map((line, i) => this.lineOptions(line, i))],
          hooks: { setCursor: [() => this.read()] },
        },
        this.data,
        this.host,
      );
    }

    set(times, values, lines) {
      if (
        lines &&
        lines.map((l) => l.key + l.label).join() !== this.lines.map((l) => l.key + l.label).join()
      ) {
        this.lines = lines;
        if (this.plot) this.plot.destroy();
        this.plot = null;
      }
      this.values = values;
      this.times = times;
      const first = this.options.stacked ? 0 : times.findIndex((_, i) => values.some((v) => known(v[i])));
      this.first = times[Math.max(0, first)];
      const drawn = this.options.stacked ? stack(values) : this.options.log ? values.map(positive) : values;
      this.data = [times, ...drawn];
      if (!this.plot) this.build();
      else this.plot.setData(this.data);
      this.read();
    }

    none(text) {
      if (this.plot) this.plot.destroy();
      this.plot = null;
      this.host.replaceChildren(make("p", { class: "none", textContent: text }));
    }

    // The values under the pointer, or the newest ones, for the legend.
    read() {
      if (!this.options.readout || !this.plot) return;
      const at = this.plot.cursor.idx;
      const i = known(at) ? at : this.times.length - 1;
      this.options.readout(
        this.values.map((v) => v[i]),
        this.lines,
      );
    }

    restyle() {
      if (this.plot) this.build();
    }
  }

  const positive = (values) => values.map((v) => (v > 0 ? v : null));
  const ceiling = (u, low, high) => [0, high > 0 ? high * 1.1 : 1];
  const logRange = (u, low, high) =>
    known(low) && low > 0
      ? [10 ** Math.floor(Math.log10(low)), 10 ** Math.ceil(Math.log10(high) + 0.01)]
      : [1e-6, 1];
  const decades = (u, axis, low, high) => {
    const ticks = [];
    for (let e = Math.round(Math.log10(low)); e <= Math.round(Math.log10(high)); e++) ticks.push(10 ** e);
    return ticks;
  };
  const clockOf = (more) => (u, ticks) =>
    ticks.map((t) =>
      new Date(t * 1000).toLocaleTimeString([], {
        hour: "2-digit",
        minute: "2-digit",
        hour12: false,
        ...more,
      }),
    );

  // Each on top of those after it.
  function stack(values) {
    const stacked = new Array(values.length);
    for (let s = values.length - 1; s >= 0; s--)
      stacked[s] = values[s].map((v, i) =>
        known(v) ? v + (s + 1 < values.length ? stacked[s + 1][i] || 0 : 0) : null,
      );
    return stacked;
  }

  function statesChart(host, height, small, readout, lines = STATES) {
    return new Chart(host, {
      lines,
      stacked: true,
      height,
      small,
      readout,
      range: [0, 1],
      format: (t) => `${Math.round(t * 100)}%`,
    });
  }

  // dashed: the lines are drawn, not areas, each with its dashes.
  function legend(list, lines, values, dashed) {
    while (list.children.length > lines.length) list.lastChild.remove();
    lines.forEach((line, i) => {
      let item = list.children[i];
      if (!item) {
        item = make(
          "li",
          {},
          make("span", { "class": "swatch", "aria-hidden": "true" }),
          make("bdi"),
          make("span", { class: "value" }),
        );
        list.append(item);
      }
      item.children[0].className = `swatch c-${line.key}`;
      if (dashed) item.children[0].dataset.dash = i % DASHES.length;
      setText(item.children[1], line.label);
      setText(item.children[2], values ? values[i] : "");
    });
  }

  // A bar of parts of a whole, with words for who cannot see it.
  function bar(element, parts, label) {
    let at = 0;
    if (!element.firstChild)
      for (const p of parts) element.append(svg("rect", { y: 0, height: 10, class: `f-${p.key}` }));
    parts.forEach((p, i) => {
      const width = Math.max(0, Math.min(1, p.value || 0)) * 1000;
      element.children[i].setAttribute("x", at.toFixed(1));
      element.children[i].setAttribute("width", width.toFixed(1));
      at += width;
    });
    element.setAttribute("aria-label", label);
  }

  const newBar = () =>
    svg("svg", { class: "stack", viewBox: "0 0 1000 10", preserveAspectRatio: "none", role: "img" });

  const barOrder = [...STATES].reverse();
  const stateBar = (element, w) =>
    bar(
      element,
      barOrder.map((s) => ({ key: s.key, value: w[s.field] })),
      barOrder.map((s) => `${s.label} ${percent(w[s.field])}`).join(", "),
    );

  // ---- What is shown.

  const view = {
    window: "1s",
    snapshot: null,
    paused: false,
    sort: { key: "wait", down: true },
    filter: "",
    current: null, // key of the table's row
    range: "5m", // of RANGES
    domain: null, // domid of the domain on show; null: the overview
    detail: null,
    all: false,
  };

  function tile(list, i, title, value, note) {
    let item = list.children[i];
    if (!item) {
      item = make("div", {}, make("dt"), make("dd"), make("dd", { class: "note" }));
      list.append(item);
    }
    setText(item.children[0], title);
    setText(item.children[1], value);
    setText(item.children[2], note || "");
    item.children[2].title = note || "";
  }

  const windowOf = (d) => d.windows[view.window];
  const alive = (snapshot) => snapshot.domains.filter((d) => windowOf(d));

  function largest(domains, get) {
    let best = null;
    for (const d of domains)
      if (known(get(windowOf(d))) && (!best || get(windowOf(d)) > get(windowOf(best)))) best = d;
    return best;
  }

  function drawTiles(snapshot) {
    const domains = alive(snapshot);
    const host = snapshot.windows[view.window];
    const tiles = byId("tiles");
    const waiting = sum(domains.map((d) => windowOf(d).wait_s / (windowOf(d).span_s || 1)));
    const running = sum(domains.map((d) => windowOf(d).running_s / (windowOf(d).span_s || 1)));
    const slow = largest(domains, (w) => w.wait_p["99"]);
    const long = largest(domains, (w) => w.wait_max_s);
    const io = domains.map((d) => windowOf(d).io.per_s).filter(known);
    const q = snapshot.quality;
    tile(
      tiles,
      0,
      "pCPUs busy",
      percent(host && host.busy_ratio),
      `${digits(running)} of ${snapshot.host.cpus} in use`,
    );
    tile(tiles, 1, "vCPUs waiting", digits(waiting), "on average");
    tile(
      tiles,
      2,
      "Wait, 99 %",
      slow ? seconds(windowOf(slow).wait_p["99"]) : NONE,
      slow ? `worst: ${nameOf(slow)}` : "no wait ended",
    );
    tile(
      tiles,
      3,
      "Longest wait",
      long ? seconds(windowOf(long).wait_max_s) : NONE,
      long ? nameOf(long) : "",
    );
    tile(
      tiles,
      4,
      "Executions",
      `${count(host && host.executions_per_s)} /s`,
      plural(domains.length, "domain"),
    );
    tile(
      tiles,
      5,
      "I/O",
      io.length ? `${count(sum(io))} /s` : NONE,
      io.length ? "pages exchanged" : "not in the trace",
    );
    tile(
      tiles,
      6,
      "Known time",
      percent(q.coverage_ratio),
      q.lost_records ? `${count(q.lost_records)} records lost` : "no record lost",
    );
  }

  const busiest = (domains) =>
    [...domains].sort(
      (a, b) =>
        windowOf(b).running_s + windowOf(b).wait_s - windowOf(a).running_s - windowOf(a).wait_s ||
        a.domid - b.domid,
    );

  // Places stay as they are while their domains are among the busiest: charts that jump cannot be read.
  let placed = [];
  function places(domains, wanted) {
    const order = busiest(domains).map(keyOf);
    const near = new Set(order.slice(0, wanted + 2));
    placed = placed.filter((key) => near.has(key)).slice(0, wanted);
    for (const key of order) if (placed.length < wanted && !placed.includes(key)) placed.push(key);
    return placed;
  }

  // What is drawn of each domain: of the last minutes as it came, of longer times as the server has it.
  function multiplesNow(domains) {
    const byKey = new Map(domains.map((d) => [keyOf(d), d]));
    return places(domains, MULTIPLES).map((key) => {
      const d = byKey.get(key),
        w = windowOf(d),
        entry = past.domains.get(key);
      const label =
        `now running ${percent(w.running_ratio)}, waiting ${percent(w.wait_ratio)}, ` +
        `blocked ${percent(w.blocked_ratio)}, unknown ${percent(w.unknown_ratio)}`;
      return {
        d,
        figure: `runs ${percent(w.running_ratio)}, waits ${percent(w.wait_ratio)}`,
        label,
        times: past.times,
        values: entry && STATES.map((s) => entry.series[s.key]),
      };
    });
  }

  const mean = (values) => {
    const seen = values.filter(known);
    return seen.length ? sum(seen) / seen.length : null;
  };

  function multiplesThen(history) {
    return history.domains.slice(0, MULTIPLES).map((d) => {
      const figure = `ran ${percent(mean(d.values.running_ratio))}, waited ${percent(mean(d.values.wait_ratio))}`;
      return {
        d,
        figure,
        label: `${figure} of the time that is known, ${percent(mean(d.coverage_ratio))}`,
        times: history.times_s,
        values: STATES.map((s) => d.values[s.field]),
      };
    });
  }

  const multiples = [];
  function drawMultiples(snapshot) {
    const host = byId("multiples");
    const range = RANGES[view.range];
    if (!range.live && !longer.history) return; // it is on its way
    const shown = range.live ? multiplesNow(alive(snapshot)) : multiplesThen(longer.history);
    while (multiples.length > shown.length) multiples.pop().link.remove();
    shown.forEach((it, i) => {
      if (!multiples[i]) {
        const name = make("bdi", { class: "name" }),
          figure = make("span", { class: "figure" });
        const chart = make("div", { class: "chart", role: "img" });
        const link = make("a", { class: "multiple" }, make("span", { class: "top" }, name, figure), chart);
        host.append(link);
        multiples[i] = { link, name, figure, host: chart, chart: statesChart(chart, 92, true) };
      }
      const m = multiples[i];
      m.link.href = `#domain=${it.d.domid}`;
      setText(m.name, nameOf(it.d));
      setText(m.figure, it.figure);
      m.host.setAttribute("aria-label", `${nameOf(it.d)}, ${range.words}: ${it.label}`);
      if (it.values && it.times.length) m.chart.set(it.times, it.values);
    });
    if (!shown.length && !host.firstChild)
      host.append(make("p", { class: "none", textContent: "no domain yet" }));
    if (shown.length) host.querySelectorAll(".none").forEach((p) => p.remove());
  }

  function drawLines(chart, list, field, format, domains, empty) {
    const order = domains
      .map((d) => ({ d, entry: past.domains.get(keyOf(d)) }))
      .filter(({ entry }) => entry && entry.series[field].some(known))
      .map(({ d, entry }) => ({ d, area: sum(entry.series[field].slice(-60).filter(known)) }))
      .sort((a, b) => b.area - a.area)
      .slice(0, LINES)
      .map(({ d }) => d);
    order.sort((a, b) => a.domid - b.domid);
    if (!order.length) {
      legend(list, []);
      chart.none(empty);
      return;
    }
    chart.options.readout = (values, lines) => legend(list, lines, values.map(format), true);
    chart.set(
      past.times,
      order.map((d) => past.domains.get(keyOf(d)).series[field]),
      order.map((d, i) => ({ key: `s${i + 1}`, label: nameOf(d) })),
    );
    chart.host.setAttribute(
      "aria-label",
      order.map((d) => `${nameOf(d)} ${format(last(d, field))}`).join(", "),
    );
  }

  const last = (d, field) => past.domains.get(keyOf(d)).series[field].slice(-1)[0];

  const waitChart = new Chart(byId("c-wait"), { height: 200, log: true, format: seconds, axis: short });
  const ioChart = new Chart(byId("c-io"), { height: 200, format: count });
  byId("c-wait").setAttribute("role", "img");
  byId("c-io").setAttribute("role", "img");

  const cpuChart = statesChart(
    byId("c-cpus"),
    150,
    false,
    (values) => legend(byId("cpu-legend"), CPU_STATES, values.map(percent).reverse()),
    CPU_STACK,
  );
  byId("c-cpus").setAttribute("role", "img");

  function drawCpusOverTime() {
    const range = RANGES[view.range];
    if (!range.live && !longer.history) return;
    const times = range.live ? past.times : longer.history.times_s;
    const values = CPU_STACK.map((s) => (range.live ? past.cpus[s.key] : longer.history.cpus[s.field]));
    if (!times.length) return;
    cpuChart.set(times, values);
    byId("c-cpus").setAttribute(
      "aria-label",
      `All pCPUs, ${range.words}, on average: ` +
        CPU_STACK.map((s, i) => `${s.label} ${percent(mean(values[i]))}`).join(", "),
    );
  }

  function drawCpus(snapshot) {
    drawCpusOverTime();
    const list = byId("cpus");
    const names = new Map(snapshot.domains.filter((d) => !d.ended).map((d) => [d.domid, nameOf(d)]));
    while (list.children.length > snapshot.cpus.length) list.lastChild.remove();
    snapshot.cpus.forEach((cpu, i) => {
      let item = list.children[i];
      if (!item) {
        item = make(
          "li",
          {},
          make("span"),
          newBar(),
          make("span", { class: "share" }),
          make("span", { class: "now" }),
        );
        list.append(item);
      }
      const w = cpu.windows[view.window] || {};
      setText(item.children[0], `CPU ${cpu.cpu}`);
      bar(
        item.children[1],
        CPU_STATES.map((s) => ({ key: s.key, value: w[s.field] })),
        CPU_STATES.map((s) => `${s.label} ${percent(w[s.field])}`).join(", "),
      );
      setText(item.children[2], percent(w.busy_ratio));
      const who = cpu.current && (names.get(cpu.current.domid) || `domain ${cpu.current.domid}`);
      setText(item.children[3], who ? `${who}, vCPU ${cpu.current.vcpu}` : "idle");
    });
  }

  // ---- The table.

  const COLUMNS = [
    { key: "name", title: "Domain", sort: (d) => nameOf(d).toLowerCase(), up: true },
    { key: "domid", title: "Id", sort: (d) => d.domid, text: (d) => String(d.domid), up: true },
    {
      key: "vcpus",
      title: "vCPUs",
      sort: (d) => d.vcpus_online ?? d.vcpus_seen,
      text: (d) => String(d.vcpus_online ?? d.vcpus_seen),
    },
    { key: "bar", title: "Time" },
    {
      key: "run",
      title: "Running",
      sort: (d, w) => w.running_ratio,
      text: (d, w) => percent(w.running_ratio),
    },
    { key: "wait", title: "Waiting", sort: (d, w) => w.wait_ratio, text: (d, w) => percent(w.wait_ratio) },
    {
      key: "blocked",
      title: "Blocked",
      sort: (d, w) => w.blocked_ratio,
      text: (d, w) => percent(w.blocked_ratio),
    },
    {
      key: "unknown",
      title: "Unknown",
      sort: (d, w) => w.unknown_ratio,
      text: (d, w) => percent(w.unknown_ratio),
    },
    {
      key: "exec",
      title: "Exec/s",
      sort: (d, w) => w.executions_per_s,
      text: (d, w) => count(w.executions_per_s),
    },
    {
      key: "p50",
      title: "Wait 50 %",
      sort: (d, w) => w.wait_p["50"],
      text: (d, w) => seconds(w.wait_p["50"]),
    },
    {
      key: "p99",
      title: "Wait 99 %",
      sort: (d, w) => w.wait_p["99"],
      text: (d, w) => seconds(w.wait_p["99"]),
    },
    { key: "max", title: "Longest", sort: (d, w) => w.wait_max_s, text: (d, w) => seconds(w.wait_max_s) },
    { key: "io", title: "I/O /s", sort: (d, w) => w.io.per_s, text: (d, w) => count(w.io.per_s) },
    { key: "weight", title: "Weight", sort: (d) => d.weight, text: (d) => count(d.weight) },
  ];
  const SORTS = COLUMNS.filter((c) => c.sort);

  function buildColumns() {
    for (const c of COLUMNS) {
      const th = make("th", { scope: "col" });
      if (c.sort) {
        th.dataset.key = c.key;
        th.append(make("button", { type: "button", textContent: c.title, onclick: () => sortBy(c.key) }));
      } else {
        th.textContent = c.title;
        th.className = "bar-cell";
      }
      byId("columns").append(th);
    }
    markSort();
  }

  function sortBy(key) {
    const column = COLUMNS.find((c) => c.key === key);
    view.sort = view.sort.key === key ? { key, down: !view.sort.down } : { key, down: !column.up };
    markSort();
    drawTable();
  }

  function markSort() {
    for (const th of byId("columns").children) {
      if (th.dataset.key === view.sort.key)
        th.setAttribute("aria-sort", view.sort.down ? "descending" : "ascending");
      else th.removeAttribute("aria-sort");
    }
  }

  function tableOrder() {
    const column = COLUMNS.find((c) => c.key === view.sort.key);
    const wanted = view.filter.toLowerCase();
    const value = (d) => column.sort(d, windowOf(d));
    const rows = alive(view.snapshot).filter(
      (d) => !wanted || nameOf(d).toLowerCase().includes(wanted) || String(d.domid) === wanted,
    );
    return rows.sort((a, b) => {
      const x = value(a),
        y = value(b);
      if (!known(x) || !known(y)) return known(x) ? -1 : known(y) ? 1 : a.domid - b.domid; // unknown stands last
      const order = x < y ? -1 : x > y ? 1 : 0;
      return (view.sort.down ? -order : order) || a.domid - b.domid;
    });
  }

  const rows = new Map();
  function rowOf(d) {
    let row = rows.get(keyOf(d));
    if (row) return row;
    const cells = COLUMNS.map((c, i) =>
      i === 0
        ? make("th", { scope: "row" }, make("a", {}, make("bdi")))
        : make("td", c.key === "bar" ? { class: "bar-cell" } : {}),
    );
    cells[COLUMNS.findIndex((c) => c.key === "bar")].append(newBar());
    row = { tr: make("tr", {}, ...cells), cells };
    row.tr.dataset.key = keyOf(d);
    row.tr.dataset.domid = d.domid;
    rows.set(keyOf(d), row);
    return row;
  }

  function drawRow(d) {
    const row = rowOf(d),
      w = windowOf(d);
    COLUMNS.forEach((c, i) => {
      const cell = row.cells[i];
      if (i === 0) {
        const link = cell.firstChild;
        link.href = `#domain=${d.domid}`;
        link.firstChild.classList.toggle("gone", d.ended);
        link.firstChild.title = nameOf(d);
        setText(link.firstChild, nameOf(d));
      } else if (c.key === "bar") stateBar(cell.firstChild, w);
      else setText(cell, c.text(d, w));
    });
    row.tr.dataset.current = String(view.current === keyOf(d));
    return row.tr;
  }

  function drawTable() {
    if (!view.snapshot) return;
    const order = tableOrder();
    const shown = view.all ? order : order.slice(0, ROWS_AT_FIRST);
    const body = byId("rows");
    shown.forEach((d, i) => {
      const tr = drawRow(d);
      if (body.children[i] !== tr) body.insertBefore(tr, body.children[i] || null);
    });
    while (body.children.length > shown.length) body.lastChild.remove();
    const living = new Set(view.snapshot.domains.map(keyOf));
    for (const key of rows.keys()) if (!living.has(key)) rows.delete(key);
    if (!shown.length)
      body.append(
        make(
          "tr",
          {},
          make("td", {
            class: "none-yet",
            colSpan: COLUMNS.length,
            textContent: view.filter ? "no domain of that name" : "no domain yet",
          }),
        ),
      );
    const note = byId("count");
    setText(
      note,
      shown.length < order.length ? `${shown.length} of ${order.length} domains are shown. ` : "",
    );
    if (shown.length < order.length)
      note.append(
        make("button", {
          type: "button",
          textContent: "Show all",
          onclick: () => {
            view.all = true;
            drawTable();
          },
        }),
      );
  }

  function moveRow(step) {
    const list = [...byId("rows").children].filter((tr) => tr.dataset.key);
    if (!list.length) return;
    const at = list.findIndex((tr) => tr.dataset.key === view.current);
    const to =
      step === -Infinity
        ? 0
        : step === Infinity
          ? list.length - 1
          : Math.max(0, Math.min(list.length - 1, at < 0 ? 0 : at + step));
    view.current = list[to].dataset.key;
    for (const tr of list) tr.dataset.current = String(tr.dataset.key === view.current);
    const link = list[to].querySelector("a");
    link.focus({ preventScroll: true });
    list[to].scrollIntoView({ block: "nearest" });
  }

  // ---- One domain.

  const detailStates = statesChart(byId("c-states"), 240, false, (values) =>
    legend(byId("d-legend"), [...STATES].reverse(), values.map(percent).reverse()),
  );
  const detailWaits = new Chart(byId("c-percentiles"), {
    lines: PERCENTILES,
    height: 300,
    log: true,
    format: seconds,
    axis: short,
    readout: (values) => legend(byId("l-percentiles"), PERCENTILES, values.map(seconds), true),
  });
  byId("c-states").setAttribute("role", "img");
  byId("c-percentiles").setAttribute("role", "img");

  function fillTable(head, body, titles, lines) {
    const header = byId(head),
      rowsOf = byId(body);
    if (!header.firstChild) header.append(...titles.map((t) => make("th", { scope: "col", textContent: t })));
    while (rowsOf.children.length > lines.length) rowsOf.lastChild.remove();
    lines.forEach((texts, i) => {
      let tr = rowsOf.children[i];
      if (!tr) {
        tr = make("tr", {}, ...titles.map((_, c) => make(c ? "td" : "th", c ? {} : { scope: "row" })));
        rowsOf.append(tr);
      }
      texts.forEach((t, c) => setText(tr.children[c], t));
    });
  }

  function lengths(name, title, key, d) {
    const table = make("table", { "aria-label": title }),
      body = make("tbody");
    let before = 0;
    [...d.edges_s, null].forEach((edge, i) => {
      const within = edge === null ? d.count : d.at_most[i];
      const share = d.count ? (within - before) / d.count : 0;
      before = within;
      const element = newBar();
      bar(element, [{ key, value: share }], percent(share));
      body.append(
        make(
          "tr",
          {},
          make("th", {
            scope: "row",
            textContent: edge === null ? `over ${seconds(d.edges_s[i - 1])}` : `to ${seconds(edge)}`,
          }),
          make("td", {}, element),
          make("td", { textContent: d.count ? percent(share) : NONE }),
        ),
      );
    });
    table.append(body);
    return make("div", {}, make("h3", { textContent: `${title}: ${count(d.count)}` }), table);
  }

  function drawDetail() {
    const detail = view.detail;
    if (!detail) return;
    const d = detail.domain,
      w = d.windows[view.window];
    setText(byId("d-name"), nameOf(d));
    document.title = `${nameOf(d)} · XenMon`;
    const facts = [
      `domain ${d.domid}`,
      d.uuid && `UUID ${d.uuid}`,
      plural(d.vcpus_online ?? d.vcpus_seen, "vCPU"),
      known(d.weight) && `weight ${d.weight}`,
      known(d.cap_ratio) && `cap ${percent(d.cap_ratio)} of a pCPU`,
      d.paused && "paused",
      d.ended && "ended",
    ];
    setText(byId("d-facts"), facts.filter(Boolean).join(" · "));
    if (w) {
      const tiles = byId("d-tiles");
      tile(tiles, 0, "Running", percent(w.running_ratio), `${seconds(w.run_per_exec_s)} an execution`);
      tile(tiles, 1, "Waiting", percent(w.wait_ratio), `any vCPU: ${percent(w.wait_any_ratio)}`);
      tile(tiles, 2, "Blocked", percent(w.blocked_ratio), `${seconds(w.blocked_per_exec_s)} an execution`);
      tile(tiles, 3, "Unknown", percent(w.unknown_ratio), `offline ${percent(w.offline_ratio)}`);
      tile(tiles, 4, "Executions", `${count(w.executions_per_s)} /s`, `${count(w.migrations)} migrations`);
      tile(tiles, 5, "Longest wait", seconds(w.wait_max_s), `99 %: ${seconds(w.wait_p["99"])}`);
      tile(
        tiles,
        6,
        "I/O",
        known(w.io.per_s) ? `${count(w.io.per_s)} /s` : NONE,
        known(w.io.per_s) ? `${digits(w.io.per_exec || 0)} an execution` : "not in the trace",
      );
    }
    const entry = past.domains.get(keyOf(d));
    if (entry) {
      detailStates.set(
        past.times,
        STATES.map((s) => entry.series[s.key]),
      );
      byId("c-states").setAttribute(
        "aria-label",
        STATES.map((s) => `${s.label} ${percent(w && w[s.field])}`).join(", "),
      );
      if (PERCENTILES.some((p) => entry.series[p.key].some(known))) {
        detailWaits.set(
          past.times,
          PERCENTILES.map((p) => entry.series[p.key]),
        );
        byId("c-percentiles").setAttribute(
          "aria-label",
          PERCENTILES.map((p) => `${p.label} ${seconds(w && p.get(w))}`).join(", "),
        );
      } else detailWaits.none("no wait has ended yet");
    }
    byId("lengths").replaceChildren(
      make(
        "div",
        { class: "columns" },
        lengths("wait", "Waits", "waiting", d.distributions.wait),
        lengths("execution", "Executions", "running", d.distributions.execution),
      ),
    );
    drawVcpus(detail);
    drawWindows(d);
  }

  function drawVcpus(detail) {
    const titles = [
      "vCPU",
      "State",
      "CPU",
      "Running",
      "Waiting",
      "Blocked",
      "Unknown",
      "Exec/s",
      "Longest wait",
      "Migrations",
    ];
    fillTable(
      "v-columns",
      "v-rows",
      titles,
      detail.vcpus.map((v) => {
        const w = v.windows[view.window] || {};
        const state = v.assumed_state ? `${v.state} (${v.assumed_state}?)` : v.state;
        return [
          String(v.vcpu),
          state,
          known(v.cpu) ? String(v.cpu) : NONE,
          percent(w.running_ratio),
          percent(w.wait_ratio),
          percent(w.blocked_ratio),
          percent(w.unknown_ratio),
          count(w.executions_per_s),
          seconds(w.wait_max_s),
          count(w.migrations),
        ];
      }),
    );
  }

  function drawWindows(d) {
    const line = (title, get) => [
      title,
      ...["exec", "1s", "10s"].map((name) => (d.windows[name] ? get(d.windows[name]) : NONE)),
    ];
    fillTable(
      "w-columns",
      "w-rows",
      ["Of a window", "Last execution", "1 s", "10 s"],
      [
        line("Length", (w) => seconds(w.span_s)),
        line("Running", (w) => `${seconds(w.running_s)} (${percent(w.running_ratio)})`),
        line("Waiting", (w) => `${seconds(w.wait_s)} (${percent(w.wait_ratio)})`),
        line("after a wake-up", (w) => seconds(w.wait_by_cause_s.wake)),
        line("after a preemption", (w) => seconds(w.wait_by_cause_s.preemption)),
        line("Blocked", (w) => `${seconds(w.blocked_s)} (${percent(w.blocked_ratio)})`),
        line("Executions", (w) => count(w.executions)),
        line("Running an execution", (w) => seconds(w.run_per_exec_s)),
        line("Waiting an execution", (w) => seconds(w.wait_per_exec_s)),
        line("Allocated an execution", (w) => seconds(w.alloc_s.avg)),
        line("Blocked for each I/O", (w) => seconds(w.blocked_per_io_s)),
        line("I/O", (w) => count(w.io.count)),
        line("Network in", (w) =>
          known(w.net.received_bytes_per_s) ? `${count(w.net.received_bytes_per_s)} B/s` : NONE,
        ),
        line("Network out", (w) =>
          known(w.net.sent_bytes_per_s) ? `${count(w.net.sent_bytes_per_s)} B/s` : NONE,
        ),
        line("Disk read", (w) =>
          known(w.disk.read_bytes_per_s) ? `${count(w.disk.read_bytes_per_s)} B/s` : NONE,
        ),
        line("Disk written", (w) =>
          known(w.disk.write_bytes_per_s) ? `${count(w.disk.write_bytes_per_s)} B/s` : NONE,
        ),
      ],
    );
  }

  let fetching = false;
  async function fetchDetail() {
    const domid = view.domain;
    if (domid === null || fetching) return;
    fetching = true;
    try {
      const answers = await Promise.all(
        [`api/v1/domains/${domid}`, `api/v1/domains/${domid}/vcpus`].map((path) =>
          fetch(path, { credentials: "same-origin" }),
        ),
      );
      if (view.domain !== domid) return;
      if (answers.some((a) => a.status === 404)) {
        byId("d-facts").textContent = `Domain ${domid} is not there any more.`;
        if (!view.detail) setText(byId("d-name"), `Domain ${domid}`);
        return;
      }
      if (!answers.every((a) => a.ok)) return;
      const [one, vcpus] = await Promise.all(answers.map((a) => a.json()));
      if (view.domain !== domid) return;
      view.detail = { domain: one.domain, vcpus: vcpus.vcpus };
      drawDetail();
    } catch {
      /* the stream says that the server is not there */
    } finally {
      fetching = false;
    }
  }

  // ---- Which view.

  function route() {
    const match = /^#domain=(\d{1,5})$/.exec(location.hash);
    const before = view.domain;
    view.domain = match ? Number(match[1]) : null;
    byId("overview").hidden = view.domain !== null;
    byId("domain").hidden = view.domain === null;
    if (view.domain === before) return;
    view.detail = null;
    if (view.domain === null) {
      document.title = "XenMon";
      draw();
      const row = [...byId("rows").children].find((tr) => Number(tr.dataset.domid) === before);
      if (row) row.querySelector("a").focus();
      return;
    }
    const d = view.snapshot && view.snapshot.domains.find((x) => x.domid === view.domain);
    setText(byId("d-name"), d ? nameOf(d) : `Domain ${view.domain}`);
    setText(byId("d-facts"), "");
    if (d) view.current = keyOf(d);
    window.scrollTo(0, 0);
    byId("d-name").focus();
    fetchDetail();
  }

  function draw() {
    const snapshot = view.snapshot;
    if (!snapshot || document.hidden) return;
    if (view.domain !== null) {
      drawDetail();
      return;
    }
    drawTiles(snapshot);
    drawMultiples(snapshot);
    const domains = alive(snapshot);
    drawLines(waitChart, byId("l-wait"), "p99", seconds, domains, "no wait has ended yet");
    drawLines(
      ioChart,
      byId("l-io"),
      "io",
      (x) => (known(x) ? `${count(x)} /s` : NONE),
      domains,
      "the trace does not show I/O",
    );
    drawCpus(snapshot);
    drawTable();
  }

  function drawHead(snapshot) {
    const h = snapshot.host;
    const source = h.source_kind === "live" ? h.hypervisor : h.source && `${h.source}`;
    setText(
      byId("host"),
      [h.name, source, h.scheduler, plural(h.cpus, "pCPU"), `traced ${duration(h.trace_s)}`]
        .filter(Boolean)
        .join(" · "),
    );
    setText(
      byId("quality"),
      snapshot.host.states_from === "switch"
        ? "States come from switch records: the trace is older than Xen 3.4."
        : "",
    );
  }

  // ---- The stream.

  const link = { source: null, heard: 0, timer: 0, broken: false, reason: "" };

  function say(state, text) {
    byId("status").dataset.state = state;
    setText(byId("status-text"), text);
    document.body.classList.toggle("stale", state === "stale" || state === "bad");
  }

  const WORDS = {
    running: "live",
    restarted: "live, xenbaked has restarted",
    starting: "xenbaked is starting",
    ended: "the trace has ended",
    stale: "xenbaked does not write",
    dead: "xenbaked is gone",
    absent: "no xenbaked",
    broken: "the region cannot be read",
  };

  function sayState(state, reason) {
    const good = state === "running" || state === "restarted" || state === "ended";
    say(view.paused ? "stale" : good ? "live" : "bad", view.paused ? "held" : WORDS[state] || state);
    const notice = byId("notice");
    notice.hidden = good || !reason;
    setText(notice, reason || "");
  }

  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

  // What the server answers about the past, or the error that it says.  It makes few such answers at a time.
  async function tryHistory(query) {
    let error = null;
    for (let tries = 0; tries < 5; tries++) {
      const answer = await fetch(`api/v1/history?${query}`, { credentials: "same-origin" });
      if (answer.ok) return { history: await answer.json() };
      error = (await answer.json()).error;
      if (error.code !== "busy") break;
      await pause(500 + 500 * Math.random());
    }
    return { error };
  }

  const askHistory = async (query) => (await tryHistory(query)).history || null;

  // What is too much at once is asked for in steps twice as long, and again.
  async function askInSteps(query, step) {
    for (let factor = 1; ; factor *= 2) {
      const told = await tryHistory(`${query}&step=${step * factor}s`);
      if (told.history || told.error.code !== "too_much" || factor === 8) return told;
    }
  }

  async function askRanges() {
    const answer = await fetch("api/v1/history/ranges", { credentials: "same-origin" });
    const ranges = answer.ok ? (await answer.json()).ranges : [];
    return Object.fromEntries(ranges.map((r) => [r.series, r]));
  }

  // Five seconds a step, and the few that ran longest: a host of a thousand domains answers that too.
  async function askRecent() {
    const query = `step=${STEP_S}s&top=${REMEMBERED}&metric=${Object.values(HISTORY).join()}`;
    const history = await askHistory(`from=-${POINTS}s&${query}`);
    if (history) return history;
    const { slow } = await askRanges(); // what is older cannot be had: what the region has, then
    return slow && slow.from ? askHistory(`from=${slow.from}&${query}`) : null;
  }

  async function loadHistory() {
    try {
      const history = await askRecent();
      if (!history || !history.to) return; // no data yet: the charts begin now
      const to = Date.parse(history.to) / 1000;
      const many = history.domains.length + history.domains_left_out > MANY;
      const metric = Object.values(RECENT).slice(0, many ? 1 : 2).join(); // peaks take every sample in between
      const query = `from=${to - RECENT_S}&to=${to}&step=${STEP_S}s&top=${REMEMBERED}`;
      past.fill(history, await askHistory(`${query}&metric=${metric}`));
    } catch {
      /* the stream says that the server is not there */
    }
  }

  // ---- Longer times.

  const longer = { history: null, timer: 0 };

  async function loadLonger() {
    const range = RANGES[view.range];
    clearTimeout(longer.timer);
    if (range.live) return;
    const metric = Object.values(HISTORY).join();
    try {
      const query = `from=${range.from}&top=${MULTIPLES}&metric=${metric}`;
      const { history, error } = await askInSteps(query, range.step);
      if (RANGES[view.range] !== range) return;
      if (history) longer.history = history;
      setText(byId("range-note"), history ? "" : `The server says: ${error.message}.`);
      draw();
    } catch {
      /* the stream says that the server is not there */
    }
    if (RANGES[view.range] === range) longer.timer = setTimeout(loadLonger, range.every_ms);
  }

  function setRange(name) {
    view.range = Object.hasOwn(RANGES, name) ? name : "5m";
    document.querySelector(`input[name="range"][value="${view.range}"]`).checked = true;
    setText(byId("range-words"), RANGES[view.range].words);
    setText(byId("range-note"), "");
    longer.history = null;
    draw();
    loadLonger();
  }

  // A day is there where somebody keeps one.
  async function offerRanges() {
    try {
      const { durable } = await askRanges();
      byId("range-day").hidden = !durable || durable.reason !== null;
    } catch {
      /* without it there is an hour */
    }
  }

  function take(event) {
    link.heard = performance.now();
    const snapshot = JSON.parse(event.data);
    if (snapshot.time) past.add(Date.parse(snapshot.time) / 1000, snapshot.domains, view.window, snapshot.windows[view.window]);
    if (view.paused) return;
    view.snapshot = snapshot;
    drawHead(snapshot);
    sayState(snapshot.state, snapshot.host.reason);
    requestAnimationFrame(draw);
    fetchDetail();
  }

  async function listen() {
    if (link.source) link.source.close();
    clearTimeout(link.timer);
    await loadHistory();
    const source = new EventSource(`api/v1/stream?window=${view.window}`);
    link.source = source;
    source.addEventListener("open", () => {
      if (link.broken) loadHistory();
      link.broken = false;
    });
    source.addEventListener("snapshot", take);
    source.addEventListener("state", (event) => {
      link.heard = performance.now();
      const said = JSON.parse(event.data);
      sayState(said.state, said.reason);
    });
    source.addEventListener("error", () => {
      if (source !== link.source) return;
      link.broken = true;
      say("bad", "no connection, trying again");
      if (source.readyState === EventSource.CLOSED) link.timer = setTimeout(listen, RETRY_MS);
    });
  }

  setInterval(() => {
    if (!link.heard || view.paused) return;
    const quiet = performance.now() - link.heard;
    if (quiet > STALE_MS && byId("status").dataset.state !== "bad")
      say("stale", `nothing new for ${Math.round(quiet / 1000)} s`);
  }, 1000);

  // ---- Settings, keys.

  const THEMES = ["auto", "light", "dark"];
  const system = matchMedia("(prefers-color-scheme: dark)");
  let theme = "auto";

  function stored(key, value) {
    try {
      if (value === undefined) return localStorage.getItem(`xenmon.${key}`);
      localStorage.setItem(`xenmon.${key}`, value);
    } catch {
      /* no storage: it lasts as long as the page */
    }
    return null;
  }

  function setTheme(name) {
    theme = THEMES.includes(name) ? name : "auto";
    document.documentElement.dataset.theme = theme === "auto" ? (system.matches ? "dark" : "light") : theme;
    setText(byId("theme"), `Theme: ${theme}`);
    for (const chart of charts) chart.restyle();
  }

  function setWindow(name) {
    view.window = name;
    document.querySelector(`input[name="window"][value="${name}"]`).checked = true;
    stored("window", name);
    view.snapshot = null;
    listen();
  }

  function setPaused(paused) {
    view.paused = paused;
    byId("pause").setAttribute("aria-pressed", String(paused));
    if (paused) say("stale", "held");
  }

  function nextTheme() {
    setTheme(THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length]);
    stored("theme", theme);
  }

  function sortNext() {
    const at = SORTS.findIndex((c) => c.key === view.sort.key);
    sortBy(SORTS[(at + 1) % SORTS.length].key);
  }

  function nextRange() {
    const offered = Object.keys(RANGES).filter((name) => name !== "24h" || !byId("range-day").hidden);
    return offered[(offered.indexOf(view.range) + 1) % offered.length];
  }

  const KEYS = {
    "?": () => byId("help").showModal(),
    "/": () => byId("filter").focus(),
    "j": () => moveRow(1),
    "ArrowDown": () => moveRow(1),
    "k": () => moveRow(-1),
    "ArrowUp": () => moveRow(-1),
    "Home": () => moveRow(-Infinity),
    "End": () => moveRow(Infinity),
    "s": sortNext,
    "r": () => sortBy(view.sort.key),
    "1": () => setWindow("1s"),
    "2": () => setWindow("10s"),
    "h": () => setRange(nextRange()),
    "p": () => setPaused(!view.paused),
    "t": nextTheme,
  };
  const OVERVIEW_ONLY = ["h", "/", "j", "k", "ArrowDown", "ArrowUp", "Home", "End", "s", "r"];

  function key(event) {
    if (event.ctrlKey || event.altKey || event.metaKey || byId("help").open) return;
    const typing = event.target.matches("input[type=search], textarea");
    if (event.key === "Escape") {
      if (typing) {
        view.filter = byId("filter").value = "";
        drawTable();
        byId("filter").blur();
      } else if (view.domain !== null) location.hash = "";
      return;
    }
    const radio = event.target.matches("input[type=radio]") && event.key.startsWith("Arrow");
    if (typing || radio || !Object.hasOwn(KEYS, event.key)) return;
    if (view.domain !== null && OVERVIEW_ONLY.includes(event.key)) return;
    event.preventDefault();
    KEYS[event.key]();
  }

  function boot() {
    buildColumns();
    legend(byId("state-legend"), [...STATES].reverse());
    legend(byId("d-legend"), [...STATES].reverse());
    legend(byId("cpu-legend"), CPU_STATES);
    setTheme(stored("theme"));
    if (stored("window") === "10s") {
      view.window = "10s";
      document.querySelector('input[name="window"][value="10s"]').checked = true;
    }
    system.addEventListener("change", () => setTheme(theme));
    document.addEventListener("keydown", key);
    document.addEventListener("visibilitychange", draw);
    window.addEventListener("hashchange", route);
    byId("theme").addEventListener("click", nextTheme);
    byId("pause").addEventListener("click", () => setPaused(!view.paused));
    byId("help-open").addEventListener("click", () => byId("help").showModal());
    byId("filter").addEventListener("input", () => {
      view.filter = byId("filter").value.trim();
      drawTable();
    });
    for (const radio of document.querySelectorAll('input[name="window"]'))
      radio.addEventListener("change", () => setWindow(radio.value));
    for (const radio of document.querySelectorAll('input[name="range"]'))
      radio.addEventListener("change", () => setRange(radio.value));
    byId("rows").addEventListener("click", (event) => {
      const tr = event.target.closest("tr[data-domid]");
      if (tr && !event.target.closest("a")) location.hash = `domain=${tr.dataset.domid}`;
    });
    for (const back of document.querySelectorAll('a[href="#"]'))
      back.addEventListener("click", (event) => {
        event.preventDefault();
        location.hash = "";
      });
    route();
    listen();
    offerRanges();
  }

  boot();
})();

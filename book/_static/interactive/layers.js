// A list of layers, each a window along one axis, and the cone of one unit of the last layer.
(() => {
  "use strict";

  const { html, svg, put, minus, whole } = byhand;
  const { table, problem, taps, cone, region, field, pixels, sentence, PRESETS } = byhand.layers;
  const LIMITS = { kernel: [1, 15], stride: [1, 8], padding: [0, 15], dilation: [1, 16] };
  const NAMES = Object.keys(LIMITS);
  const [MOST_PIXELS, MOST_LAYERS] = [64, 8];
  const range = (n) => Array.from({ length: Math.max(n, 0) }, (_, i) => i);

  const PITCH = 50; // pixels from row to row
  const SIDE = 22; // of a cell, at most
  const TOP = 16;
  const BOTTOM = 62; // below the input: its scale and the field

  // The middle of a cell, in pixels of the input.
  const middle = ({ start, jump }, i) => start + i * jump;

  // From where to where the picture reaches, in pixels of the input: all cells, within reason.
  function extent(rows, layers, n) {
    const ends = rows.flatMap((row, l) => {
      const padding = l < rows.length - 1 ? layers[l][2] : 0;
      return [middle(row, -padding), middle(row, row.size - 1 + padding)];
    });
    return [Math.max(Math.min(...ends), -n) - 0.6, Math.min(Math.max(...ends), 2 * n) + 0.6];
  }

  function picture(state, unit, width, paint) {
    const { layers, n } = state;
    const rows = table(layers, n);
    const found = cone(layers, n, unit);
    const wide = width >= 500;
    const gutter = wide ? 60 : 20;
    const [low, high] = extent(rows, layers, n);
    const scale = Math.min((width - gutter - SIDE) / (high - low), 34);
    const left = gutter + (width - gutter - scale * (high - low)) / 2;
    const x = (position) => left + (position - low) * scale;
    const y = (row) => TOP + (rows.length - 1 - row) * PITCH;
    const side = (row) => Math.min(0.86 * scale * rows[row].jump, SIDE);
    const cell = (name, row, i) => svg("rect", {
      class: name, x: x(middle(rows[row], i)) - side(row) / 2, y: y(row) - side(row) / 2,
      width: side(row), height: side(row), rx: Math.min(side(row) / 6, 2),
    });

    const lines = [];
    const cells = [];
    rows.forEach((row, l) => {
      const above = l < rows.length - 1 ? layers[l] : null;
      const read = above && new Set(range(rows[l + 1].size).flatMap((u) => taps(above, u)));
      const lit = new Set(found[l].units);
      const padded = new Set(found[l].padding);
      const kind = l ? "layer" : "pixel";
      range(row.size).forEach((i) => cells.push(cell(
        `${kind}${lit.has(i) ? " lit" : ""}${read && !read.has(i) ? " unread" : ""}`, l, i)));
      range(above ? above[2] : 0).flatMap((i) => [-1 - i, row.size + i]).forEach((i) => {
        const rect = cell(`padding${padded.has(i) ? " lit" : ""}`, l, i);
        cells.push(put(rect, { fill: paint }));
      });
      if (!above) return;
      found[l + 1].units.forEach((u) => taps(above, u).forEach((i) => lines.push(svg("line", {
        class: i >= 0 && i < row.size ? "tap" : "tap padded",
        x1: x(middle(rows[l + 1], u)), y1: y(l + 1) + side(l + 1) / 2,
        x2: x(middle(row, i)), y2: y(l) - side(l) / 2,
      }))));
    });
    const names = rows.map((_, l) => svg("text", { class: "name", x: 0, y: y(l) + 4 },
      wide ? (l ? `layer ${l}` : "input") : `${l || "in"}`));
    return {
      rows, height: y(0) + BOTTOM,
      nearest: (position) => {
        const top = rows.at(-1);
        const u = Math.round(((position - left) / scale + low - top.start) / top.jump);
        return Math.min(Math.max(u, 0), top.size - 1);
      },
      parts: [...lines, ...cells, cell("chosen", rows.length - 1, unit), ...names,
        ...scaleOf(n, x, y(0) + side(0) / 2, scale),
        ...brackets(state, unit, x, y(0) + side(0) / 2 + 22, width)],
    };
  }

  // Numbers under the pixels: every one, every fifth or every tenth, as there is room.
  function scaleOf(n, x, bottom, scale) {
    const step = scale >= 20 ? 1 : scale >= 5 ? 5 : 10;
    return range(n).filter((i) => i % step === 0).map((i) =>
      svg("text", { class: "tick", x: x(i), y: bottom + 13 }, String(i)));
  }

  // What the unit reads as a solid line, its field beyond the borders as a dashed one.
  function brackets({ layers, n }, unit, x, y, width) {
    const line = (name, first, last) => svg("path", {
      class: name, d: `M${x(first - 0.45)} ${y - 4}v4H${x(last + 0.45)}v-4` });
    const reach = field(layers, n, unit);
    const read = region(layers, n, unit);
    const text = read ? pixels(read) : "padding only";
    const half = text.length * 3.6;
    const at = read ? x((read.first + read.last) / 2) : x(reach.centre);
    return [
      line("beyond", reach.first, reach.last),
      ...(read ? [line("read", read.first, read.last)] : []),
      svg("text", { class: "span", y: y + 17,
                    x: Math.min(Math.max(at, half), Math.max(width - half, half)) }, text),
    ];
  }

  // Where the reader writes the layers, and the numbers of each.
  function editor(set, complain) {
    const size = byhand.number({ label: "size n", min: 1, max: MOST_PIXELS, visible: true,
                                 complain, change: (n) => set(() => ({ n })) });
    const head = (names) => html("thead", {}, html("tr", {}, ...names.map((name) =>
      html("th", { scope: "col" }, name))));
    const writing = html("tbody");
    const reading = html("tbody");
    const add = byhand.button("Add a layer", () => set(({ layers }) =>
      ({ layers: [...layers, layers.at(-1)] })));
    const element = html("div", { class: "editor" },
      html("div", {}, html("table", { class: "writing" }, html("caption", {}, "Layers"),
        head(["", ...NAMES, ""]), writing), add),
      html("table", { class: "reading" }, html("caption", {}, "What each layer's units see"),
        head(["", "size", "jump", "receptive field", "start"]), reading));
    const row = (name, ...cells) => html("tr", {}, html("th", { scope: "row" }, name),
      ...cells.map((cell) => html("td", {}, cell)));
    let lines = [];

    const remove = (l) => {
      set(({ layers }) => ({ layers: layers.filter((_, i) => i !== l) }));
      (lines[Math.min(l, lines.length - 1)].remove).focus();
    };
    function rebuild(count) {
      lines = range(count).map((l) => ({
        inputs: NAMES.map((name, part) => byhand.number({
          label: `${name} of layer ${l + 1}`, min: LIMITS[name][0], max: LIMITS[name][1], complain,
          change: (value) => set(({ layers }) => ({
            layers: layers.map((layer, i) => layer.map((old, j) =>
              (i === l && j === part ? value : old))),
          })),
        })),
        remove: put(byhand.button("×", () => remove(l)), { "aria-label": `Remove layer ${l + 1}` }),
      }));
      const input = html("tr", {}, html("th", { scope: "row" }, "input"),
        html("td", { colspan: 5 }, size.element));
      writing.replaceChildren(input, ...lines.map((line, l) =>
        row(`layer ${l + 1}`, ...line.inputs.map((i) => i.element), line.remove)));
    }

    const update = ({ layers, n }) => {
      if (lines.length !== layers.length) rebuild(layers.length);
      size.set(n);
      lines.forEach((line, l) => {
        line.inputs.forEach((input, part) => input.set(layers[l][part]));
        line.remove.disabled = layers.length === 1;
      });
      add.disabled = layers.length >= MOST_LAYERS;
      const rows = table(layers, n);
      reading.replaceChildren(...range(layers.length + 1).map((l) => {
        const values = rows[l] || { size: "–", jump: "–", field: "–", start: "–" };
        return row(l ? `layer ${l}` : "input", ...Object.values(values).map((v) => minus(v)));
      }));
    };
    return { element, update };
  }

  const pack = (layers) => layers.map((layer) => layer.join(".")).join("-");

  function build({ body, live, set }) {
    let state;
    let width = 0;
    let drawn;
    const presets = byhand.choice({
      legend: "Start from",
      options: Object.keys(PRESETS).map((label) => ({ value: label, label })),
      change: (name) => set({ ...PRESETS[name], unit: null }),
    });
    const drawing = svg("svg", { class: "stage rows", "aria-hidden": true });
    const paint = byhand.hatch(drawing);
    const parts = svg("g");
    drawing.append(parts);
    const stage = html("div", { class: "stage-box" }, drawing);
    const unit = byhand.slider({ label: "Chosen unit", change: (value) => set({ unit: value }) });
    const misfit = html("p", { class: "problem", role: "alert" });
    const typing = html("p", { class: "problem", role: "alert" });
    const say = (node, text) => {
      if (node.textContent !== text) node.textContent = text;
      node.hidden = !text;
    };
    const edit = editor((change) => set(change(state)), (text) => say(typing, text));
    body.append(presets.element, unit.element, stage, misfit, live, edit.element, typing);

    const choose = (event) => {
      if (event.type === "pointermove" && !event.buttons) return;
      set({ unit: drawn.nearest(event.clientX - drawing.getBoundingClientRect().left) });
    };
    drawing.addEventListener("pointerdown", choose);
    drawing.addEventListener("pointermove", choose);

    // The chosen unit, or the middle one.
    const chosen = () => {
      const last = table(state.layers, state.n).at(-1).size - 1;
      return Math.min(state.unit ?? Math.floor(last / 2), last);
    };
    const draw = () => {
      if (!state || !width) return;
      drawn = picture(state, chosen(), width, paint);
      put(drawing, { width, height: drawn.height, viewBox: `0 0 ${width} ${drawn.height}` });
      parts.replaceChildren(...drawn.parts);
    };
    byhand.fit(stage, (now) => {
      width = now;
      draw();
    });
    return (now) => {
      state = now;
      const { layers, n } = state;
      const { size } = table(layers, n).at(-1);
      const same = ([, preset]) => preset.n === n && pack(preset.layers) === pack(layers);
      presets.set((Object.entries(PRESETS).find(same) || [null])[0]);
      unit.set(chosen(), { min: 0, max: size - 1, disabled: size === 1 });
      edit.update(state);
      say(misfit, problem(layers, n));
      say(typing, "");
      draw();
      return sentence(state, chosen());
    };
  }

  const initial = { ...PRESETS["three 3 × 3"], unit: null };
  byhand.figure("layers", {
    initial, build,
    write: ({ n, layers, unit }) => ({ n, l: pack(layers), ...(unit === null ? {} : { u: unit }) }),
    read: ({ n, l = "", u }) => {
      const read = l.split("-").map((text) => text.split(".").map((value, part) =>
        (part < 4 ? whole(value, ...LIMITS[NAMES[part]]) : null)));
      const good = read.length <= MOST_LAYERS
        && read.every((layer) => layer.length === 4 && !layer.includes(null));
      return {
        n: whole(n, 1, MOST_PIXELS) ?? initial.n, layers: good ? read : initial.layers,
        unit: whole(u, 0, 999),
      };
    },
  });
})();

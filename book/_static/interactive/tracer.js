// Trace a cell of conv2 back to the pixels that it depends on: boxes, tables and sentences.
(() => {
  "use strict";

  const { html, svg, put, decimal, whole, box, around, outline, beam, words, place } = byhand;
  const { compute, windowOf, terms, total, region, layout } = byhand.tracer;
  const data = byhand.data.tracer;
  const PLACES = { pixel: 1, weight: 2, conv1: 3 };
  const NAMES = ["A", "B"];
  const range = (n) => Array.from({ length: n }, (_, i) => i);

  // Cover a map but for one box.
  function veil(map, { x, y, width, height }) {
    const side = map.side * map.cell;
    return svg("path", {
      class: "veil", "fill-rule": "evenodd",
      d: `M${map.x} ${map.y}h${side}v${side}h${-side}z M${x} ${y}h${width}v${height}h${-width}z`,
    });
  }

  const label = (text, { x, y, cell }) =>
    svg("text", { class: "name", x, y: y - cell - 4 }, text);

  // A map as squares whose ink grows with the value; values 0 draw nothing on the paper.
  function picture(map, values, name, top) {
    const side = map.side * map.cell;
    return svg("g", { class: name }, outline("paper", box(map.x, map.y, side, side)),
      ...values.flatMap((row, r) => row.map((value, c) => value > 0 && svg("rect", {
        x: map.x + c * map.cell, y: map.y + r * map.cell, width: map.cell, height: map.cell,
        "fill-opacity": Math.min(value / top, 1).toFixed(3),
      }))).filter(Boolean));
  }

  const padding = (map, cells, paint) => cells.filter((cell) => cell.padding).map((cell) =>
    svg("rect", {
      class: "padding", x: map.x + cell.column * map.cell, y: map.y + cell.row * map.cell,
      width: map.cell, height: map.cell, fill: paint,
    }));

  const highest = (values) => Math.max(...values.flat(Infinity), 1);

  // How the figure prints the nine products of a window: its values have so many places.
  const format = (places) => ({ value, weight, product, padding: outside }) => [
    outside ? "0" : decimal(value, places), `× ${decimal(weight, PLACES.weight)}`,
    decimal(product, places + PLACES.weight)];

  const afterReLU = (value, places) => (value > 0
    ? `ReLU keeps it: ${decimal(value, places)}.` : "ReLU makes it 0.");

  function build({ body, live, set }) {
    let state;
    let width = 0;
    const values = data.digits.map((_, digit) => compute(digit));
    const digits = byhand.choice({
      legend: "Digit",
      options: data.digits.map(({ label: text }, value) => ({ value, label: text })),
      change: (value) => set({ digit: Number(value) }),
    });
    const drawing = svg("svg", { class: "stage" });
    const paint = byhand.hatch(drawing);
    const behind = svg("g", { "aria-hidden": true });
    const front = svg("g", { "aria-hidden": true, class: "front" });
    const grid = byhand.choices({
      rows: 7, columns: 7, name: "conv2", className: "conv2", choose: (r, c) => set({ r, c }),
    });
    drawing.append(behind, grid.element, front);
    const stage = html("div", { class: "stage-box" }, drawing);

    const maps = NAMES.map((_, map) => byhand.products({
      kind: "from-conv1", format: format(PLACES.conv1), choose: (i, j) => set({ map, i, j }),
    }));
    const pixels = byhand.products({ kind: "from-input", format: format(PLACES.pixel) });
    const [outTitle, outSum, inTitle, inSum] = range(4).map(() => html("p"));
    outTitle.className = inTitle.className = "title";
    outSum.className = inSum.className = "sum";
    body.append(digits.element, stage, live, html("div", { class: "workings" },
      html("div", { class: "two" }, outTitle,
        html("div", { class: "tables" }, ...maps.map((m) => m.element)), outSum),
      html("div", { class: "one" }, inTitle,
        html("div", { class: "tables" }, pixels.element), inSum)));

    const draw = () => {
      if (!state || !width) return;
      const { digit, r, c, map, i, j } = state;
      const { input, conv1, conv2 } = values[digit];
      const at = layout(width);
      const { conv1: [rows, columns], input: [top, left] } = region(r, c);
      const [row, column] = [2 * r - 1 + i, 2 * c - 1 + j];
      put(drawing, { width, height: at.height, viewBox: `0 0 ${width} ${at.height}` });

      const chosen = around(at.conv2, [r, r], [c, c]);
      const lit = at.maps.map((m) => around(m, rows, columns));
      const windows = at.maps.map((m) => around(m, [2 * r - 1, 2 * r + 1], [2 * c - 1, 2 * c + 1]));
      const field = around(at.input, top, left);
      behind.replaceChildren(
        picture(at.input, input, "input", 10), veil(at.input, field),
        ...at.maps.flatMap((m, k) => [
          picture(m, conv1.maps[k], "conv1", highest(conv1.maps[k])), veil(m, lit[k]),
          ...padding(m, windowOf(conv1.maps[k], r, c), paint)]),
        ...windows.map((shape) => beam("beam kernel", chosen, shape)),
        outline("paper", around(at.conv2, [0, 6], [0, 6])),
        ...windows.map((shape) => beam("edges", chosen, shape)));

      const inner = around(at.maps[map], [row, row], [column, column]);
      const outside = row < 0 || column < 0;
      const under = windowOf(input, row, column);
      const source = around(at.input, [2 * row - 1, 2 * row + 1], [2 * column - 1, 2 * column + 1]);
      front.replaceChildren(
        ...lit.map((shape) => beam("beam input", shape, field)),
        ...(outside ? [] : [...padding(at.input, under, paint),
                            beam("beam kernel", inner, source)]),
        outline("field", field), ...windows.map((shape) => outline("window", shape)),
        ...(outside ? [] : [outline("window", source)]),
        outline("chosen", inner), outline("chosen", chosen), outline("ring", chosen),
        label("input, 28 × 28", at.input), label("conv2, 7 × 7", { ...at.conv2, cell: 2 }),
        ...at.maps.map((m, k) => label(
          at.wide ? `conv1, map ${NAMES[k]}, 14 × 14` : `${NAMES[k]}, 14 × 14`, m)));
      const strongest = highest(conv2.map);
      grid.update(at.conv2, [r, c], (y, x) => {
        const value = conv2.map[y][x];
        const text = decimal(Math.round(value / 1000), 2);
        return { label: text, short: value ? text : "0", strength: 0.6 * value / strongest };
      });
      workings({ digit, r, c, map, i, j, row, column, outside });
    };

    function workings({ digit, r, c, map, i, j, row, column, outside }) {
      const { input, conv1, conv2 } = values[digit];
      const shares = maps.map((shown, m) => {
        const nine = terms(conv1.maps[m], r, c, data.conv2.weight[0][m]);
        shown.update(`map ${NAMES[m]} × its kernel`, nine, highest(conv1.maps[m]),
          m === map ? [i, j] : null);
        return total(nine);
      });
      outTitle.textContent = `conv2, ${place(r, c)}`;
      outSum.textContent = `Map A ${decimal(shares[0], 5)} + map B ${decimal(shares[1], 5)} + bias `
        + `${decimal(data.conv2.bias[0], 2)} = ${decimal(conv2.sums[r][c], 5)}. `
        + afterReLU(conv2.sums[r][c], 5);
      inTitle.textContent = outside ? `map ${NAMES[map]}, padding`
        : `map ${NAMES[map]}, ${place(row, column)}`;
      pixels.element.hidden = outside;
      inSum.textContent = "This cell lies outside the map. It is 0 and depends on no pixel.";
      if (outside) return;
      const nine = terms(input, row, column, data.conv1.weight[map][0]);
      const sum = conv1.sums[map][row][column];
      pixels.update(`pixels × kernel ${NAMES[map]}`, nine, 10);
      inSum.textContent = `Products ${decimal(total(nine), 3)} + bias `
        + `${decimal(data.conv1.bias[map], 2)} = ${decimal(sum, 3)}. ${afterReLU(sum, 3)}`;
    }

    // a click on a cell of a window in conv1 chooses it, as its table does
    drawing.addEventListener("click", (event) => {
      const { left, top } = drawing.getBoundingClientRect();
      layout(width).maps.forEach((m, map) => {
        const i = Math.floor((event.clientY - top - m.y) / m.cell) - 2 * state.r + 1;
        const j = Math.floor((event.clientX - left - m.x) / m.cell) - 2 * state.c + 1;
        if (i >= 0 && i < 3 && j >= 0 && j < 3) set({ map, i, j });
      });
    });
    byhand.fit(stage, (now) => {
      width = now;
      draw();
    });
    return (now) => {
      state = now;
      digits.set(state.digit);
      draw();
      const { digit, r, c } = state;
      const { conv1: [rows, columns], input: [top, left] } = region(r, c);
      const seen = (top[1] - top[0] + 1) * (left[1] - left[0] + 1);
      const value = values[digit].conv2.map[r][c];
      return `conv2, ${place(r, c)} is ${value ? decimal(value, 5) : 0}. It reads rows `
        + `${words(rows)} and columns ${words(columns)} of both maps, and through them rows `
        + `${words(top)} and columns ${words(left)} of the input: ${seen} pixels.`
        + (r && c ? "" : " The rest of its window is padding, which counts as 0.");
    };
  }

  const [r, c] = data.start;
  const initial = { digit: 0, r, c, map: 0, i: 1, j: 1 };
  byhand.figure("tracer", {
    initial, build,
    write: ({ digit, r: row, c: column, map, i, j }) =>
      ({ digit: data.digits[digit].label, r: row, c: column, map: NAMES[map], i, j }),
    read: (values) => {
      const digit = data.digits.findIndex(({ label: text }) => String(text) === values.digit);
      const map = NAMES.indexOf(values.map);
      const pick = (name, high) => whole(values[name], 0, high) ?? initial[name];
      return {
        digit: digit < 0 ? initial.digit : digit, map: map < 0 ? initial.map : map,
        r: pick("r", 6), c: pick("c", 6), i: pick("i", 2), j: pick("j", 2),
      };
    },
  });
})();

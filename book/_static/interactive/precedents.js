// Trace an output back through two convolutions: its window, and the pixels two layers down.
(() => {
  "use strict";

  const { html, svg, put, minus, whole, around, outline, beam, words, place } = byhand;
  const { SIDE, terms, total, compute, region, merged, direct, layout, numbers,
          label, largest } = byhand.precedents;
  const { input, first, second } = byhand.data.precedents;
  const STRIDES = [1, 2];
  const VIEWS = ["pixels", "weights"];
  const range = (n) => Array.from({ length: n }, (_, i) => i);
  // A line may begin with a sign, and a sign stays with its number.
  const sum = (products) => `${products.map(({ product }) => product).filter(Boolean)
    .map((value, i) => (i ? ` ${value < 0 ? "−" : "+"}\u00a0${Math.abs(value)}` : minus(value)))
    .join("") || "0"}`;
  const format = ({ value, weight, product }) =>
    [minus(value), `× ${minus(weight)}`, minus(product)];

  function build({ body, live, set }) {
    let state;
    let width = 0;
    const values = Object.fromEntries(STRIDES.map((stride) => [stride, compute(stride)]));
    const strides = byhand.choice({
      legend: "Stride of layer one", options: STRIDES.map((value) => ({ value, label: value })),
      change: (value) => {
        const last = values[value].two.length - 1;
        set({ stride: Number(value), r: Math.min(state.r, last), c: Math.min(state.c, last) });
      },
    });
    const views = byhand.choice({
      legend: "The input shows", change: (show) => set({ show }),
      options: [{ value: "pixels", label: "pixels" }, { value: "weights", label: "merged weights" }],
    });
    const drawing = svg("svg", { class: "stage precedents" });
    const behind = svg("g", { "aria-hidden": true });
    const front = svg("g", { "aria-hidden": true, class: "front" });
    const grids = Object.fromEntries(STRIDES.map((stride) => {
      const side = values[stride].two.length;
      return [stride, byhand.choices({
        rows: side, columns: side, name: "output", className: "outputs",
        choose: (r, c) => set({ r, c }),
      })];
    }));
    const chooser = svg("g");
    drawing.append(behind, chooser, front);
    const stage = html("div", { class: "stage-box" }, drawing);
    const upper = byhand.products({
      kind: "from-conv1", format, choose: (i, j) => set({ i, j }),
    });
    const lower = byhand.products({ kind: "from-input", format });
    const text = (name) => html("p", { class: name });
    const [upperTitle, lowerTitle, directTitle] = range(3).map(() => text("title"));
    const [upperSum, lowerSum, directSum] = range(3).map(() => text("sum"));
    body.append(html("div", { class: "dials" }, strides.element, views.element), stage, live,
      html("div", { class: "workings" },
        html("div", {}, upperTitle, upper.element, upperSum),
        html("div", {}, lowerTitle, lower.element, lowerSum),
        html("div", { class: "direct" }, directTitle, directSum)));

    const draw = () => {
      if (!state || !width) return;
      const { stride, r, c, i, j, show } = state;
      const { one, two } = values[stride];
      const at = layout(width, one.length, two.length);
      const { one: [rows, columns], input: [top, left] } = region(r, c, stride);
      const weights = merged(stride);
      put(drawing, { width, height: at.height, viewBox: `0 0 ${width} ${at.height}` });
      drawing.style.setProperty("--size", at.one.cell >= 26 ? "13px" : "11px");

      const chosen = around(at.two, [r, r], [c, c]);
      const lit = around(at.one, rows, columns);
      const field = around(at.input, top, left);
      const [row, column] = [r + i, c + j];
      const inner = around(at.one, [row, row], [column, column]);
      const source = around(at.input, [row * stride, row * stride + 2],
        [column * stride, column * stride + 2]);
      const inside = (y, x, [low, high], [from, to]) =>
        y >= low && y <= high && x >= from && x <= to;
      const strongest = largest(weights);
      behind.replaceChildren(
        beam("beam kernel", chosen, lit), beam("beam input", lit, field),
        beam("beam kernel", inner, source),
        numbers(at.input, "pixels", (y, x) => {
          const read = inside(y, x, top, left);
          const weight = show === "weights" && read && weights[y - top[0]][x - left[0]];
          if (weight === false) {
            return { text: input[y][x], strength: 0.5 * input[y][x] / 3,
                     className: read ? "" : "out" };
          }
          return { text: minus(weight), strength: 0.55 * Math.abs(weight) / strongest,
                   className: weight < 0 ? "weight below" : "weight" };
        }),
        numbers(at.one, "one", (y, x) => ({
          text: one[y][x], strength: 0.5 * one[y][x] / largest(one),
          className: inside(y, x, rows, columns) ? "" : "out",
        })));
      front.replaceChildren(
        outline("field", field), outline("window", lit), outline("window", source),
        outline("chosen", inner), outline("chosen", chosen), outline("ring", chosen),
        label(`input, ${SIDE} × ${SIDE}`, at.input),
        label(`layer one, ${one.length} × ${one.length}`, at.one),
        label(`output, ${two.length} × ${two.length}`, at.two));
      grids[stride].update(at.two, [r, c], (y, x) => ({
        label: minus(two[y][x]), strength: 0.5 * Math.abs(two[y][x]) / largest(two),
        below: two[y][x] < 0,
      }));
    };

    function workings() {
      const { stride, r, c, i, j } = state;
      const { one, two } = values[stride];
      const nine = terms(one, r, c, second);
      const [row, column] = [r + i, c + j];
      const under = terms(input, row * stride, column * stride, first);
      upperTitle.textContent = `Output, ${place(r, c)}`;
      upper.update("layer one × second kernel", nine, largest(one), [i, j]);
      upperSum.textContent = `${sum(nine)} = ${minus(two[r][c])}`;
      lowerTitle.textContent = `Layer one, ${place(row, column)}`;
      lower.update("pixels × first kernel", under, 3);
      lowerSum.textContent = `${sum(under)} = ${minus(total(under))}`;
      const all = direct(r, c, stride);
      directTitle.textContent = "Output, straight from the input";
      directSum.textContent = `${all.length} pixels × merged weights, where neither is 0: `
        + `${sum(all)} = ${minus(total(all))}`;
    }

    // a click on a cell of the window in layer one chooses it, as the table does
    drawing.addEventListener("click", (event) => {
      const { left, top } = drawing.getBoundingClientRect();
      const { stride, r, c } = state;
      const { one, two } = values[stride];
      const map = layout(width, one.length, two.length).one;
      const i = Math.floor((event.clientY - top - map.y) / map.cell) - r;
      const j = Math.floor((event.clientX - left - map.x) / map.cell) - c;
      if (i >= 0 && i < 3 && j >= 0 && j < 3) set({ i, j });
    });
    byhand.fit(stage, (now) => {
      width = now;
      draw();
    });
    return (now) => {
      state = now;
      const { stride, r, c, show } = state;
      strides.set(stride);
      views.set(show);
      if (chooser.firstChild !== grids[stride].element) {
        chooser.replaceChildren(grids[stride].element);
      }
      draw();
      workings();
      const { one: [rows, columns], input: [top, left] } = region(r, c, stride);
      const side = top[1] - top[0] + 1;
      const value = minus(values[stride].two[r][c]);
      const pixels = `${side} × ${side} = ${side * side} pixels`;
      return `The output at ${place(r, c)} is ${value}. It reads rows ${words(rows)} and columns `
        + `${words(columns)} of layer one, and through them rows ${words(top)} and columns `
        + `${words(left)} of the input: 3 + (3 − 1) · ${stride} = ${side} each way, ${pixels}.`;
    };
  }

  const initial = { stride: 1, r: 1, c: 2, i: 1, j: 1, show: VIEWS[0] };
  byhand.figure("precedents", {
    initial, build,
    write: ({ stride, r, c, i, j, show }) => ({ s: stride, r, c, i, j, show }),
    read: (values) => {
      const stride = whole(values.s, 1, 2) ?? initial.stride;
      const last = compute(stride).two.length - 1;
      const pick = (name, high) => whole(values[name], 0, high) ?? Math.min(initial[name], high);
      return {
        stride, r: pick("r", last), c: pick("c", last), i: pick("i", 2), j: pick("j", 2),
        show: VIEWS.includes(values.show) ? values.show : initial.show,
      };
    },
  });
})();

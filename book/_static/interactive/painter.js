// Draw a kernel, slide it over a digit, and see the output and its size at once.
(() => {
  "use strict";

  const { html, svg, put, whole, box, outline } = byhand;
  const { SIDE, PICTURES, span, compute, law, problem, sentence, PRESETS, turned, resized,
          tools, WEIGHTS, BRUSHES } = byhand.painter;
  const LIMITS = { s: [1, 6], p: [0, 4], d: [1, 14] };
  const NAMES = { s: "Stride s", p: "Padding p", d: "Dilation d" };
  const SIZES = [3, 5];
  const LABEL = 22; // pixels above the pictures
  const GAP = 28; // between them
  const range = (n) => Array.from({ length: Math.max(n, 0) }, (_, i) => i);

  // A picture as squares whose ink grows with the size of the value, which may be below 0.
  function squares(values, x, y, cell, name, top) {
    return svg("g", { class: name }, ...values.flatMap((row, r) => row.map((value, c) =>
      value !== 0 && svg("rect", {
        x: (x + c * cell).toFixed(2), y: (y + r * cell).toFixed(2),
        width: cell.toFixed(2), height: cell.toFixed(2), class: value < 0 ? "below" : null,
        "fill-opacity": (Math.abs(value) / top).toFixed(3),
      }))).filter(Boolean));
  }

  // Input with its padding and the first windows, and the output, at one scale.
  function picture(setting, output, width, paint) {
    const { weights: { length: k }, s, p, d } = setting;
    const across = SIDE + 2 * p;
    const cell = (width - GAP - 4) / (2 * across - 2); // no output is larger than across - 2
    const [x, y] = [2, LABEL + 2];
    const right = x + across * cell + GAP;
    const side = across * cell;
    const o = output.length;
    const top = Math.max(...output.flat().map(Math.abs), 1);
    const reach = span(setting) * cell;
    // the first window, and where it stops next
    const windows = o ? range(Math.min(o, 2)).map((stop) =>
      outline(stop ? "window next" : "window", box(x + stop * s * cell, y, reach, reach)))
      : [outline("window", box(x, y, Math.min(reach, side + 6), Math.min(reach, side + 6)))];
    const taps = o ? range(k * k).map((t) => svg("rect", {
      class: "tap", ...box(x + (t % k) * d * cell, y + Math.floor(t / k) * d * cell, cell, cell),
    })) : [];
    const ring = p ? [svg("path", {
      class: "padding", "fill-rule": "evenodd", fill: paint,
      d: `M${x} ${y}h${side}v${side}h${-side}z `
        + `M${x + p * cell} ${y + p * cell}h${SIDE * cell}v${SIDE * cell}h${-SIDE * cell}z`,
    })] : [];
    const name = (text, at) => svg("text", { class: "name", x: at, y: LABEL - 6 }, text);
    return {
      height: Math.ceil(y + side + 8),
      parts: [
        outline("paper", box(x, y, side, side)), ...ring,
        squares(PICTURES[setting.picture].pixels, x + p * cell, y + p * cell, cell, "input", 10),
        ...taps, ...windows,
        ...(o ? [outline("paper", box(right, y, o * cell, o * cell)),
          squares(output, right, y, cell, "output", top)] : []),
        name(p ? `input, ${SIDE} + 2·${p} = ${across}` : `input, ${SIDE} × ${SIDE}`, x),
        name(o ? `output, ${o} × ${o}` : "no output", right),
      ],
    };
  }

  const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

  function build({ body, live, set }) {
    let state;
    let width = 0;
    let output = [];
    const middle = (weights) => ({ weights, at: range(2).map(() => (weights.length - 1) / 2) });
    const presets = byhand.choice({
      legend: "Start from",
      options: Object.keys(PRESETS).map((label) => ({ value: label, label })),
      change: (name) => set(middle(PRESETS[name])),
    });
    const pictures = byhand.choice({
      legend: "Picture", options: PICTURES.map(({ name }, value) => ({ value, label: name })),
      change: (value) => set({ picture: Number(value) }),
    });
    const sizes = byhand.choice({
      legend: "Kernel", options: SIZES.map((k) => ({ value: k, label: `${k} × ${k}` })),
      change: (k) => set(middle(resized(state.weights, Number(k)))),
    });
    const sliders = Object.keys(LIMITS).map((name) => byhand.slider({
      label: NAMES[name], change: (value) => set({ [name]: value }),
    }));
    const [misfit, typing] = [0, 1].map(() => html("p", { class: "problem", role: "alert" }));
    const say = (node, text) => {
      if (node.textContent !== text) node.textContent = text;
      node.hidden = !text;
    };
    const own = tools({ change: set, complain: (text) => say(typing, text) });
    const formula = html("p", { class: "law" });
    const drawing = svg("svg", { class: "stage painted", "aria-hidden": true });
    const paint = byhand.hatch(drawing);
    const parts = svg("g");
    drawing.append(parts);
    const stage = html("div", { class: "stage-box" }, drawing);
    const beside = html("div", { class: "tools" }, own.brush, own.weight,
      html("div", { class: "actions" },
        byhand.button("Turn by 180°", () => set({ weights: turned(state.weights) })),
        byhand.button("Clear", () => set({ weights: state.weights.map((row) =>
          row.map(() => 0)) }))));
    body.append(presets.element,
      html("div", { class: "dials" }, pictures.element, sizes.element),
      html("div", { class: "painting" }, own.table, beside,
        html("div", { class: "numbers" }, ...sliders.map((s) => s.element), formula)),
      typing, misfit, stage, live);

    const draw = () => {
      if (!state || !width) return;
      const drawn = picture(state, output, width, paint);
      put(drawing, { width, height: drawn.height, viewBox: `0 0 ${width} ${drawn.height}` });
      parts.replaceChildren(...drawn.parts);
    };
    byhand.fit(stage, (now) => {
      width = now;
      draw();
    });
    return (now) => {
      state = now;
      output = compute(state);
      presets.set((Object.entries(PRESETS).find(([, weights]) => same(weights, state.weights))
        || [null])[0]);
      pictures.set(state.picture);
      sizes.set(state.weights.length);
      own.update(state);
      Object.entries(LIMITS).forEach(([name, [min, max]], i) =>
        sliders[i].set(state[name], { min, max }));
      formula.replaceChildren(...law(state).map((text) => html("span", {}, text)));
      say(misfit, problem(state));
      say(typing, "");
      draw();
      return sentence(state, output);
    };
  }

  const initial = {
    picture: 0, weights: PRESETS["top edges"], s: 1, p: 0, d: 1, at: [1, 1], brush: 1,
  };
  byhand.figure("painter", {
    initial, build,
    write: ({ picture: at, weights, s, p, d, at: cell, brush }) => ({
      pic: PICTURES[at].name, k: weights.flat().join("."), s, p, d, at: cell.join(""), brush,
    }),
    read: (values) => {
      const found = PICTURES.findIndex(({ name }) => name === values.pic);
      const flat = (values.k || "").split(".").map((text) => whole(text, ...WEIGHTS));
      const k = SIZES.find((side) => side * side === flat.length);
      const good = k && !flat.includes(null);
      const weights = good ? range(k).map((r) => flat.slice(r * k, r * k + k)) : initial.weights;
      const last = weights.length - 1;
      const at = new RegExp(`^[0-${last}]{2}$`).test(values.at)
        ? [...values.at].map(Number) : [last / 2, last / 2];
      const brush = whole(values.brush, -9, 9);
      const pick = (name) => whole(values[name], ...LIMITS[name]) ?? initial[name];
      return {
        picture: found < 0 ? initial.picture : found, weights, at,
        s: pick("s"), p: pick("p"), d: pick("d"),
        brush: BRUSHES.includes(brush) ? brush : initial.brush,
      };
    },
  });
})();

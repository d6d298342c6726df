// A brick of numbers whose axes N, C, H and W can be averaged over: whose mean is it?
(() => {
  "use strict";

  const { html, svg, put, minus, whole } = byhand;
  const { AXES, SHAPE, GROUPS, EPS, PRESETS, at, places, number, shape, means, normalized,
          name, GUTTER, HEAD, GAP, layout, outline } = byhand.norms;
  const WORDS = ["pictures", "channels", "rows", "columns"];
  // The colours of the chapter's figure, in its order, and how strong they are on the paper.
  const HUES = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#9A6B16",
                "#F0E442", "#6B7280"];
  const STRENGTHS = [60, 22, 42, 12];
  const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

  const fixed = (value, places_) => minus(value.toFixed(places_)).replace(/^−(0\.?0*)$/, "$1");
  const short = (value, most) => fixed(value, most).replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, "");
  const equals = (value, most) => `${Number(value.toFixed(most)) === value ? "=" : "≈"} `
    + short(value, most);
  const letter = (i, count) => (count > LETTERS.length ? "" : LETTERS[i]);
  const colour = (node, i) => {
    node.style.setProperty("--hue", HUES[i % HUES.length]);
    node.style.setProperty("--share", `${STRENGTHS[Math.floor(i / HUES.length) % 4]}%`);
    return node;
  };
  const count = (n, word) => `${n} ${word}${n === 1 ? "" : "s"}`;
  const where = ([n, c, h, w]) => `picture ${n}, channel ${c}, row ${h}, column ${w}`;

  // Switches that can be on together; calls change(text of those that are on).
  function switches({ legend, options, change }) {
    const inputs = options.map(({ value }) => html("input", { type: "checkbox", value }));
    const element = html("fieldset", { class: "choice" }, html("legend", {}, legend),
      ...options.map(({ label }, i) => html("label", {}, inputs[i], html("span", {}, label))));
    element.addEventListener("change", () => change(
      inputs.filter((input) => input.checked).map((input) => input.value).join("")));
    const set = (text) => inputs.forEach((input) => {
      input.checked = text.includes(input.value);
    });
    return { element, set };
  }

  // The 72 cells that a reader chooses among: six rows of twelve.
  function tiles(choose) {
    const place = (r, c) => [Math.floor(r / 3), Math.floor(c / 3), r % 3, c % 3];
    const cells = Array.from({ length: 6 }, () => Array.from({ length: 12 }, () =>
      svg("g", { class: "cell" }, svg("rect", {}), svg("text", { class: "value" }),
        svg("text", { class: "tag" }))));
    const element = svg("g", { role: "grid", class: "brick", "aria-label":
      "The brick: 2 pictures of 4 channels, each 3 rows of 3" },
    ...cells.map((row) => svg("g", { role: "row" }, ...row)));
    const control = byhand.grid(cells, (r, c) => choose(place(r, c)));
    const update = ({ axes, groups, chosen }, { cell, box }, total) => {
      cells.forEach((row, r) => row.forEach((node, c) => {
        const spot = place(r, c);
        const i = number(spot, axes, groups);
        const tag = letter(i, total);
        const [rect, value, mark] = node.children;
        const { x, y } = box(spot);
        put(colour(rect, i), { x, y, width: cell, height: cell });
        put(value, { x: x + cell * (tag ? 0.38 : 0.5), y: y + cell * 0.52,
                     "font-size": Math.max(cell * 0.42, 12) });
        put(mark, { x: x + cell - 2, y: y + cell - 3, "font-size": Math.max(cell * 0.28, 9) });
        value.textContent = at(spot);
        mark.textContent = tag;
        node.setAttribute("aria-label",
          `${at(spot)}, ${where(spot)}${tag ? `, mean ${tag}` : ""}`);
      }));
      control.select(chosen[0] * 3 + chosen[2], chosen[1] * 3 + chosen[3]);
    };
    return { element, update };
  }

  // The means, laid out like the brick: an axis that is averaged over has shrunk to one.
  function results() {
    const element = html("ol", { class: "means" });
    const update = ({ axes, groups, chosen }, found, at_) => {
      const [, channels, rows, columns] = shape(axes, groups);
      const gap = GAP * at_.cell;
      const block = (at_.width - (channels - 1) * gap) / channels;
      const wide = block / columns;
      const tall = wide < 46 ? 46 : 38;
      const mine = number(chosen, axes, groups);
      element.replaceChildren(...found.map(({ place: [n, c, h, w], mean, variance }, i) => {
        const most = wide < 34 ? 1 : 2;
        const item = html("li", {},
          html("span", { class: "tag" }, letter(i, found.length)), " ",
          html("strong", {}, short(mean, most)),
          html("span", { class: "visually-hidden" }, ", standard deviation "),
          html("span", { class: "deviation" }, fixed(Math.sqrt(variance), most)));
        item.classList.toggle("here", i === mine);
        item.classList.toggle("stacked", wide < 46);
        item.classList.toggle("narrow", wide < 34);
        Object.assign(item.style, {
          left: `${GUTTER + c * (block + gap) + w * wide}px`, width: `${wide}px`,
          top: `${n * (rows * tall + 8) + h * tall}px`, height: `${tall}px`,
        });
        return colour(item, i);
      }));
      const pictures = shape(axes, groups)[0];
      element.style.height = `${pictures * rows * tall + (pictures - 1) * 8}px`;
    };
    return { element, update };
  }

  // The name of the norm with the number of its means, and the arithmetic of one number.
  function explanation() {
    const [title, tally, text] = [html("strong"), html("span"), html("p")];
    const verdict = html("p", { class: "verdict" }, title, " ", tally);
    const [mean, variance, root] = [html("p"), html("p"), html("p")];
    const [chosen, value] = [html("p", { class: "title" }), html("p", { class: "result" })];
    const element = html("div", { class: "explained" }, text,
      html("div", { class: "sums" }, chosen, mean, variance, root, value));
    const update = (state, found) => {
      const { axes, groups } = state;
      const i = number(state.chosen, axes, groups);
      const { count: n, total, mean: m, variance: v } = found[i];
      const x = at(state.chosen);
      const named = name(axes, groups);
      title.textContent = named.title;
      text.textContent = named.text;
      tally.textContent = `${count(found.length, "mean")}, `
        + `${found.length === 1 ? "of" : "each of"} ${count(n, "number")}`;
      chosen.textContent = `The chosen ${x}`;
      mean.textContent = `${["mean", letter(i, found.length)].join(" ").trim()} = ${total} / ${n} `
        + equals(m, 3);
      variance.textContent = `variance ${equals(v, 3)}`;
      root.textContent = `√(${short(v, 3)} + 0.00001) ${equals(Math.sqrt(v + EPS), 3)}`;
      value.textContent = `(${x} − ${short(m, 3)}) / ${short(Math.sqrt(v + EPS), 3)} `
        + equals(normalized(state.chosen, axes, groups), 3);
    };
    return { verdict, element, update };
  }

  const full = (place) => [...place].map(Number);
  const same = (a, b) => shape(...a).join() === shape(...b).join();

  function build({ body, live, set }) {
    let state;
    let width = 0;
    const presets = byhand.choice({
      legend: "Start from",
      options: Object.keys(PRESETS).map((label) => ({ value: label, label })),
      change: (preset) => set({ axes: PRESETS[preset][0], groups: PRESETS[preset][1] }),
    });
    const over = switches({
      legend: "Average over",
      options: [...AXES].map((value, i) => ({ value, label: `${value} ${WORDS[i]}` })),
      change: (axes) => set({ axes }),
    });
    const split = byhand.choice({
      legend: "Groups that split C", options: GROUPS.map((value) => ({ value, label: value })),
      change: (value) => set({ groups: Number(value) }),
    });
    const drawing = svg("svg", { class: "stage" });
    const labels = svg("g", { "aria-hidden": true });
    const front = svg("g", { "aria-hidden": true, class: "front" });
    const grid = tiles((chosen) => set({ chosen }));
    drawing.append(labels, grid.element, front);
    const stage = html("div", { class: "stage-box" }, drawing);
    const list = results();
    const words = explanation();
    const heading = html("p", { class: "title" });
    body.append(presets.element, html("div", { class: "axes" }, over.element, split.element),
      words.verdict, html("div", { class: "whose" }, html("div", { class: "seen" }, stage, heading,
        list.element), words.element), live);

    const draw = () => {
      if (!state || !width) return;
      const { axes, groups, chosen } = state;
      const found = means(axes, groups);
      const plan = layout(width);
      put(drawing, { width, height: plan.height, viewBox: `0 0 ${width} ${plan.height}` });
      grid.update(state, plan, found.length);
      const { cell, box } = plan;
      const middle = (place) => {
        const { x, y } = box(place);
        return [x + 1.5 * cell, y + 1.5 * cell];
      };
      labels.replaceChildren(
        ...Array.from({ length: SHAPE[1] }, (_, c) => svg("text", {
          class: "name", "text-anchor": "middle", x: middle([0, c, 0, 0])[0], y: HEAD - 7,
        }, `channel ${c}`)),
        ...Array.from({ length: SHAPE[0] }, (_, n) => svg("text", {
          class: "name", "text-anchor": "middle",
          transform: `translate(12 ${middle([n, 0, 0, 0])[1]}) rotate(-90)`,
        }, `picture ${n}`)));
      const mine = places().filter((place) =>
        number(place, axes, groups) === number(chosen, axes, groups));
      front.replaceChildren(svg("path", { class: "mine", d: outline(mine, plan) }),
        svg("rect", { class: "ring", ...box(chosen), width: cell, height: cell }));
      heading.textContent = found.length === 1 ? "1 mean, its standard deviation below"
        : `${found.length} means, standard deviations below`;
      heading.style.marginLeft = `${GUTTER}px`;
      list.update(state, found, plan);
      words.update(state, found);
    };
    byhand.fit(stage, (now) => {
      width = now;
      draw();
    });
    return (now) => {
      state = now;
      const { axes, groups, chosen } = state;
      presets.set((Object.entries(PRESETS).find(([, preset]) => same(preset, [axes, groups]))
        || [null])[0]);
      over.set(axes);
      split.set(groups);
      split.element.disabled = !axes.includes("C");
      draw();
      const found = means(axes, groups);
      const i = number(chosen, axes, groups);
      const { count: n, mean, variance } = found[i];
      const mark = letter(i, found.length);
      const x = at(chosen);
      const others = n === 1 ? "has a mean of its own"
        : `shares mean ${mark} with ${count(n - 1, "other")}`;
      return `${name(axes, groups).title}: ${count(found.length, "mean")}, `
        + `${found.length === 1 ? "of" : "each of"} ${count(n, "number")}. The ${x} at `
        + `${where(chosen)} ${others}; mean ${short(mean, 3)}, standard deviation `
        + `${short(Math.sqrt(variance), 3)}, normalized `
        + `${short(normalized(chosen, axes, groups), 3)}.`;
    };
  }

  const initial = { axes: "NHW", groups: 1, chosen: [0, 1, 1, 1] };
  byhand.figure("norms", {
    initial, build,
    write: ({ axes, groups, chosen }) => ({ over: axes, groups, at: chosen.join("") }),
    read: ({ over, groups, at: place = "" }) => {
      const split = whole(groups, 1, 4);
      const known = over !== undefined
        && over === [...AXES].filter((axis) => over.includes(axis)).join("");
      const good = /^[01][0-3][0-2][0-2]$/.test(place);
      return {
        axes: known ? over : initial.axes,
        groups: GROUPS.includes(split) ? split : initial.groups,
        chosen: good ? full(place) : initial.chosen,
      };
    },
  });
})();

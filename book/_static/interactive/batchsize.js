// Batches of a chosen size: how their means scatter, and what that does to one picture's output.
(() => {
  "use strict";

  const { html, svg, put, minus, whole } = byhand;
  const { LARGEST, statistics, shown, compute } = byhand.batchsize;
  const { batches, example, layer, population, running } = byhand.data.batchsize;
  const range = (n) => Array.from({ length: n }, (_, i) => i);
  const show = (value, places = 2) => minus(value.toFixed(places)).replace(/^−(0\.?0*)$/, "$1");

  const LEFT = 34; // for the numbers of the axes
  const TOP = 26; // above a panel, for its title
  const TALL = 150; // a panel
  const BETWEEN = 46; // from one panel to the next, with a title

  // What each panel reaches, whatever the batch size: nothing jumps while the slider moves.
  const sizes = range(LARGEST).map((i) => compute(i + 1, true));
  const reach = (values, step) => {
    const all = values.flat();
    return [Math.floor(Math.min(...all) / step - 0.2) * step,
            Math.ceil(Math.max(...all) / step + 0.2) * step];
  };
  const PANELS = [
    { title: "Means of 24 batches, in pixels of ink", step: 50, reach: reach(sizes.map((s) => s.means), 50) },
    { title: `Output for a picture of ${example}`, step: 1,
      reach: reach(sizes.map((s) => s.outputs), 1) },
  ];

  // Where things stand for a width: the column of a batch, and the height of a value in a panel.
  function layout(width) {
    const column = (width - LEFT - 4) / batches.length;
    return {
      column, right: width - 4, height: 2 * TALL + TOP + BETWEEN + 34,
      x: (batch) => LEFT + (batch + 0.5) * column,
      top: (panel) => TOP + panel * (TALL + BETWEEN),
      y: (panel, value) => {
        const [low, high] = PANELS[panel].reach;
        return TOP + panel * (TALL + BETWEEN) + TALL * (high - value) / (high - low);
      },
    };
  }

  // A panel's frame: title, scale, and the line of a value that does not depend on the batch.
  function frame(panel, { top, y, right }, value, words) {
    const { title, step, reach: [low, high] } = PANELS[panel];
    const ticks = range(Math.round((high - low) / step) + 1).map((i) => low + i * step);
    return [
      svg("text", { class: "title", x: LEFT, y: top(panel) - 10 }, title),
      svg("rect", { class: "paper", x: LEFT, y: top(panel), width: right - LEFT, height: TALL }),
      ...ticks.map((tick) => svg("text", {
        class: "tick", "text-anchor": "end", x: LEFT - 6, y: y(panel, tick) + 4,
      }, minus(tick))),
      svg("line", { class: "steady", x1: LEFT, x2: right, y1: y(panel, value),
                    y2: y(panel, value) }),
      svg("text", { class: "name", "text-anchor": "end", x: right - 4,
                    y: top(panel) + TALL - 7 }, words),
    ];
  }

  function picture({ n, training, batch }, width) {
    const plan = layout(width);
    const { x, y, top, column, height } = plan;
    const { means, outputs, theory } = compute(n, training);
    const radius = Math.min(column * 0.32, 5);
    const dots = (panel, values, name) => values.map((value, b) => svg("circle", {
      class: `${name}${b === batch ? " here" : ""}`, cx: x(b), cy: y(panel, value), r: radius }));
    const stems = (panel, values, from) => values.map((value, b) => svg("line", {
      class: "stem", x1: x(b), x2: x(b), y1: y(panel, from), y2: y(panel, value) }));
    const steady = byhand.batchsize.output(example, running);
    const band = [running.mean + theory, running.mean - theory].map((value) => y(0, value));
    const below = top(1) + TALL;
    return { height, parts: [
      svg("rect", { class: "column", x: x(batch) - column / 2, y: top(0), width: column,
                    height: below - top(0) }),
      ...frame(0, plan, running.mean, `running mean ${show(running.mean)}, band ± ${show(theory)}`),
      svg("rect", { class: "band", x: LEFT, y: band[0], width: plan.right - LEFT,
                    height: band[1] - band[0] }),
      ...frame(1, plan, steady, `in evaluation always ${show(steady, 3)}`),
      svg("rect", { class: "column", x: x(batch) - column / 2, y: top(0), width: column,
                    height: TALL }),
      svg("rect", { class: "column", x: x(batch) - column / 2, y: top(1), width: column,
                    height: TALL }),
      ...stems(0, means, running.mean), ...stems(1, outputs, steady),
      ...dots(0, means, training ? "mean" : "mean unused"), ...dots(1, outputs, "output"),
      ...range(batches.length).filter((b) => column >= 18 || b % 4 === 3 || b === 0).map((b) =>
        svg("text", { class: "tick", "text-anchor": "middle", x: x(b), y: below + 15 },
          String(b + 1))),
      svg("text", { class: "tick", "text-anchor": "middle", x: (LEFT + plan.right) / 2,
                    y: below + 31 }, "batch"),
    ] };
  }

  // What happens to the example in the chosen batch, as arithmetic.
  function arithmetic({ n, training, batch }) {
    const { mean, variance } = training ? statistics(shown(batch, n)) : running;
    const value = compute(n, training).outputs[batch];
    return `${layer.gamma === 1 ? "" : `${layer.gamma} · `}(${example} − ${show(mean)}) / √(${show(variance)} + 0.00001) + `
      + `${layer.beta} = ${show(value, 3)}`;
  }

  // What is special about this batch size, or the mode.
  function remark({ n, training }) {
    if (!training) {
      return "Running statistics judge the picture. The rest of its batch has no say.";
    }
    if (n === 1) {
      return `The picture is its own mean, so each output is β = ${layer.beta}, whatever the `
        + "picture was: all information is lost. BatchNorm1d refuses such a batch with an error.";
    }
    return n === 2 ? "Two numbers leave one bit: is there more ink in this picture or in the other?"
      : "The same picture gets another output in each batch: its neighbours decide with it.";
  }

  function facts() {
    const cells = range(4).map(() => html("td"));
    const heads = range(4).map(() => html("th", { scope: "row" }));
    const element = html("table", { class: "facts" }, html("tbody", {},
      ...cells.map((cell, i) => html("tr", {}, heads[i], cell))));
    const update = (state) => {
      const { scatter, theory, outputs } = compute(state.n, state.training);
      const ends = [Math.min(...outputs), Math.max(...outputs)].map((value) => show(value, 3));
      heads[0].textContent = "scatter of the 24 means, measured";
      cells[0].textContent = show(scatter);
      heads[1].textContent = `σ/√n = ${show(population.deviation)}/√${state.n}`;
      cells[1].textContent = show(theory);
      heads[2].textContent = "outputs for the one picture";
      cells[2].textContent = ends[0] === ends[1] ? `always ${ends[0]}` : ends.join(" to ");
      heads[3].textContent = `in batch ${state.batch + 1}`;
      cells[3].textContent = arithmetic(state);
    };
    return { element, update };
  }

  function build({ body, live, set }) {
    let state;
    let width = 0;
    const size = byhand.slider({ label: "Batch size n", change: (n) => set({ n }) });
    const mode = byhand.choice({
      legend: "Mode", options: [{ value: "train", label: "training" },
                                { value: "eval", label: "evaluation" }],
      change: (value) => set({ training: value === "train" }),
    });
    const chosen = byhand.slider({ label: "Look at batch",
                                   change: (value) => set({ batch: value - 1 }) });
    const drawing = svg("svg", { class: "stage batches", "aria-hidden": true });
    const stage = html("div", { class: "stage-box" }, drawing);
    const table = facts();
    const note = html("p", { class: "remark" });
    const intro = html("p", {}, "A unit adds up the pixels of a digit: its ink. Of each batch you see the "
      + `mean. Then a picture of ${example} takes the batch's first place, and batch norm with `
      + `γ = ${layer.gamma} and β = ${layer.beta} answers for it.`);
    body.append(intro, size.element, mode.element, stage, note, chosen.element, table.element,
      live);

    drawing.addEventListener("click", (event) => {
      const { column } = layout(width);
      const at = (event.clientX - drawing.getBoundingClientRect().left - LEFT) / column;
      set({ batch: Math.min(Math.max(Math.floor(at), 0), batches.length - 1) });
    });
    const draw = () => {
      if (!state || !width) return;
      const { height, parts } = picture(state, width);
      put(drawing, { width, height, viewBox: `0 0 ${width} ${height}` });
      drawing.replaceChildren(...parts);
    };
    byhand.fit(stage, (now) => {
      width = now;
      draw();
    });
    return (now) => {
      state = now;
      const { n, training, batch } = state;
      size.set(n, { min: 1, max: LARGEST });
      mode.set(training ? "train" : "eval");
      chosen.set(batch + 1, { min: 1, max: batches.length });
      table.update(state);
      note.textContent = remark(state);
      draw();
      const { scatter, theory, outputs } = compute(n, training);
      const ends = [Math.min(...outputs), Math.max(...outputs)].map((value) => show(value, 3));
      return `Batches of ${n}, ${training ? "training" : "evaluation"} mode: the means scatter by `
        + `${show(scatter)}, and σ/√n is ${show(theory)}. The picture with ${example} pixels of `
        + `ink gets ${ends[0] === ends[1] ? `${ends[0]} in all 24 batches`
          : `between ${ends[0]} and ${ends[1]}`}; in batch ${batch + 1} it is `
        + `${show(outputs[batch], 3)}.`;
    };
  }

  const initial = { n: 4, training: true, batch: 0 };
  byhand.figure("batchsize", {
    initial, build,
    write: ({ n, training, batch }) => ({ n, mode: training ? "train" : "eval", batch: batch + 1 }),
    read: ({ n, mode, batch }) => ({
      n: whole(n, 1, LARGEST) ?? initial.n, training: mode !== "eval",
      batch: (whole(batch, 1, batches.length) ?? initial.batch + 1) - 1,
    }),
  });
})();

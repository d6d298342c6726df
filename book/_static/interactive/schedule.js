// A designer for PyTorch's 1cycle schedule: its curves, its values, and the call that gives it.
(() => {
  "use strict";

  const { html, svg, put, whole } = byhand;
  const { curves, highest, short, call, problem, sentence, PEAKS, PRESETS,
          layout, linear, logarithmic, panel } = byhand.schedule;
  const LIMITS = { steps: [1, 1000], div: [1, 1000], final: [1, 999999] };
  const SHARE = { min: 5, max: 95 };
  const HIGHEST_MOMENTUM = 99;
  const hundredth = (value) => (value / 100).toFixed(2);

  // What the reader sets; update(state) shows it.
  function dials(set, complain) {
    const number = (label, name) => byhand.number({
      label, min: LIMITS[name][0], max: LIMITS[name][1], visible: true, complain,
      change: (value) => set({ [name]: value }) });
    const choice = (legend, name, options, read = String) => byhand.choice({
      legend, options: options.map(([value, label]) => ({ value, label })),
      change: (value) => set({ [name]: read(value) }) });

    const presets = byhand.choice({
      legend: "Start from",
      options: Object.keys(PRESETS).map((label) => ({ value: label, label })),
      change: (name) => set({ ...PRESETS[name], at: null }) });
    const shape = choice("Shape", "shape", [["cos", "cosine"], ["linear", "linear"]]);
    const phases = choice("Phases", "phases", [[2, "2"], [3, "3"]], Number);
    const scale = choice("Scale of the rate", "scale",
      [["linear", "linear"], ["log", "logarithmic"]]);
    const numbers = { steps: number("total_steps", "steps"), div: number("div_factor", "div"),
                      final: number("final_div_factor", "final") };
    const peak = byhand.slider({ label: "max_lr", format: (i) => String(PEAKS[i]),
                                 change: (i) => set({ peak: PEAKS[i] }) });
    const pct = byhand.slider({ label: "pct_start", format: hundredth,
                                change: (value) => set({ pct: value }) });
    const base = byhand.slider({ label: "base_momentum", format: hundredth,
                                 change: (value) => set({ base: value }) });
    const top = byhand.slider({ label: "max_momentum", format: hundredth,
                                change: (value) => set({ top: value }) });
    const row = (...controls) => html("div", { class: "dials" },
      ...controls.map(({ element }) => element));
    const elements = [presets.element, row(...Object.values(numbers)), row(shape, phases),
                      row(peak, pct, base, top), scale.element];

    const update = (state) => {
      const same = ([, preset]) => Object.entries(preset).every(([k, v]) => state[k] === v);
      presets.set((Object.entries(PRESETS).find(same) || [null])[0]);
      shape.set(state.shape);
      phases.set(state.phases);
      scale.set(state.scale);
      for (const [name, control] of Object.entries(numbers)) control.set(state[name]);
      peak.set(PEAKS.indexOf(state.peak), { min: 0, max: PEAKS.length - 1 });
      pct.set(state.pct, SHARE);
      base.set(state.base, { min: 0, max: HIGHEST_MOMENTUM });
      top.set(state.top, { min: 0, max: HIGHEST_MOMENTUM });
    };
    return { elements, update };
  }

  // The values at the first, the highest, the last and the chosen step.
  function readings() {
    const body = html("tbody");
    const names = ["", "step", "rate", "m", "rate / (1 − m)"];
    const element = html("table", { class: "readings" }, html("caption", {}, "Values"),
      html("thead", {}, html("tr", {}, ...names.map((name) =>
        (name ? html("th", { scope: "col" }, name) : html("td"))))), body);
    const update = (found, at) => {
      const row = (name, step) => html("tr", {}, html("th", { scope: "row" }, name),
        ...(found ? [String(step), ...Object.values(found).map((values) => short(values[step]))]
          : ["–", "–", "–", "–"]).map((text) => html("td", {}, text)));
      body.replaceChildren(row("first", 0), row("highest", found && highest(found.rate)),
        row("last", found && found.rate.length - 1), row("chosen", at));
    };
    return { element, update };
  }

  // The call as text, and a button that copies it.
  function program() {
    const code = html("code");
    const button = byhand.button("Copy the call", () => {
      const copied = () => { button.textContent = "Copied"; };
      const select = () => {
        getSelection().selectAllChildren(code);
        button.textContent = "Selected: now copy";
      };
      if (navigator.clipboard) navigator.clipboard.writeText(code.textContent).then(copied, select);
      else select();
    });
    const element = html("div", { class: "program" }, html("pre", {}, code), button);
    const update = (text) => {
      if (code.textContent === text) return;
      code.textContent = text;
      button.textContent = "Copy the call";
    };
    return { element, update };
  }

  function build({ body, live, set }) {
    let state = initial;
    let width = 0;
    let found;
    const misfit = html("p", { class: "problem", role: "alert" });
    const typing = html("p", { class: "problem", role: "alert" });
    const say = (node, text) => {
      if (node.textContent !== text) node.textContent = text;
      node.hidden = !text;
    };
    // momenta stay in order: the one that is moved pushes the other
    const change = (part) => set({
      ...part,
      ...("base" in part ? { top: Math.max(part.base, state.top) } : {}),
      ...("top" in part ? { base: Math.min(part.top, state.base) } : {}),
    });
    const controls = dials(change, (text) => say(typing, text));
    const drawing = svg("svg", { class: "stage plot", "aria-hidden": true });
    const stage = html("div", { class: "stage-box" }, drawing);
    const step = byhand.slider({ label: "Chosen step", change: (at) => set({ at }) });
    const table = readings();
    const code = program();
    body.append(...controls.elements, typing, misfit, stage,
      html("div", { class: "dials" }, step.element), live,
      html("div", { class: "results" }, table.element, code.element));

    // The chosen step, or the highest one.
    const chosen = () => (found ? Math.min(state.at ?? highest(found.rate), state.steps - 1) : 0);
    const draw = () => {
      if (!width) return;
      const at = layout(width);
      put(drawing, { width, height: at.height, viewBox: `0 0 ${width} ${at.height}` });
      if (!found) {
        drawing.replaceChildren(svg("text", { class: "name beyond", x: width / 2,
                                              y: at.height / 2 }, "no schedule"));
        return;
      }
      const { rate, momentum, effective } = found;
      const log = state.scale === "log";
      const upTo = (values, count) => (log ? logarithmic(values, count)
        : linear(0, values.reduce((a, b) => Math.max(a, b)) * 1.04, count));
      const [low, high] = [state.base / 100, state.top / 100];
      const room = Math.max((high - low) * 0.08, 0.01);
      const show = (name, title, values, scale) =>
        panel(at[name], { name, title, values, scale, at: chosen() });
      drawing.replaceChildren(
        show("rate", "learning rate", rate, upTo(rate, 5)),
        show("momentum", "momentum m", momentum, linear(low - room, high + room, 3)),
        show("effective", "rate / (1 − m)", effective, upTo(effective, 3)));
    };
    const choose = (event) => {
      if (!found || (event.type === "pointermove" && !event.buttons)) return;
      const { left, top } = drawing.getBoundingClientRect();
      const { height, ...frames } = layout(width);
      const [x, y] = [event.clientX - left, event.clientY - top];
      const frame = Object.values(frames).find((f) => x >= f.left - 12 && x <= f.right + 8
        && y >= f.top - 4 && y <= f.bottom + 4);
      if (!frame) return;
      const at = Math.round(((x - frame.left) / frame.width) * (state.steps - 1));
      set({ at: Math.min(Math.max(at, 0), state.steps - 1) });
    };
    drawing.addEventListener("pointerdown", choose);
    drawing.addEventListener("pointermove", choose);
    byhand.fit(stage, (now) => {
      width = now;
      draw();
    });
    return (now) => {
      state = now;
      found = curves(state);
      controls.update(state);
      step.set(chosen(), { min: 0, max: state.steps - 1, disabled: !found || state.steps === 1 });
      table.update(found, chosen());
      code.update(call(state));
      say(misfit, found ? "" : problem(state));
      say(typing, "");
      draw();
      return sentence(state, chosen());
    };
  }

  const initial = { steps: 100, peak: 1, ...PRESETS.PyTorch, base: 85, top: 95, scale: "linear",
                    at: null };
  byhand.figure("schedule", {
    initial, build,
    write: ({ steps, peak, pct, div, final, shape, phases, base, top, scale, at }) =>
      ({ steps, peak, pct, div, final, shape, phases, base, top, scale,
         ...(at === null ? {} : { at }) }),
    read: (values) => {
      const pick = (name, low, high) => whole(values[name], low, high) ?? initial[name];
      const among = (name, options) =>
        options.find((option) => String(option) === values[name]) ?? initial[name];
      const [base, top] = [pick("base", 0, HIGHEST_MOMENTUM), pick("top", 0, HIGHEST_MOMENTUM)];
      return {
        steps: pick("steps", ...LIMITS.steps), div: pick("div", ...LIMITS.div),
        final: pick("final", ...LIMITS.final), pct: pick("pct", SHARE.min, SHARE.max),
        peak: among("peak", PEAKS), shape: among("shape", ["cos", "linear"]),
        phases: among("phases", [2, 3]), scale: among("scale", ["linear", "log"]),
        base: Math.min(base, top), top, at: whole(values.at, 0, 999),
      };
    },
  });
})();

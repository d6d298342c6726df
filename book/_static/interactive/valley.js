// A ball in a valley takes gradient steps under a schedule: it converges, bounces or leaves.
(() => {
  "use strict";

  const { html, svg, put, whole } = byhand;
  const { STEPS, walk, sentence, layout, valley, rates, places } = byhand.valley;
  const RATE = { min: 5, max: 450, step: 5 };
  const OPTIONS = { curvature: [1, 2, 4], momentum: [0, 9], plan: ["constant", "1cycle"] };
  const hundredth = (value) => (value / 100).toFixed(2);

  function build({ body, set }) {
    let state;
    let width = 0;
    const choice = (legend, name, labels) => byhand.choice({
      legend, options: OPTIONS[name].map((value, i) => ({ value, label: labels[i] })),
      change: (text) => set({ [name]: OPTIONS[name].find((value) => String(value) === text) }) });
    const controls = {
      plan: choice("Schedule", "plan", ["constant", "1cycle"]),
      momentum: choice("Momentum", "momentum", ["0", "0.9"]),
      curvature: choice("Curvature λ", "curvature", ["1", "2", "4"]),
    };
    const rate = byhand.slider({ label: "Highest rate", format: hundredth,
                                 change: (value) => set({ rate: value }) });
    const step = byhand.slider({ label: "Steps shown", change: (shown) => set({ shown }) });
    const drawing = svg("svg", { class: "stage plot", "aria-hidden": true });
    const stage = html("div", { class: "stage-box" }, drawing);
    body.append(
      html("div", { class: "dials" }, ...Object.values(controls).map(({ element }) => element)),
      html("div", { class: "dials" }, rate.element, step.element), stage);

    const draw = () => {
      if (!state || !width) return;
      const at = layout(width);
      const found = walk(state);
      put(drawing, { width, height: at.height, viewBox: `0 0 ${width} ${at.height}` });
      drawing.replaceChildren(valley(at.valley, state, found.places),
        rates(at.rates, state, found.rates), places(at.places, state, found.places));
    };
    byhand.fit(stage, (now) => {
      width = now;
      draw();
    });
    return (now) => {
      state = now;
      for (const [name, control] of Object.entries(controls)) control.set(state[name]);
      rate.set(state.rate, RATE);
      step.set(state.shown, { min: 0, max: STEPS });
      draw();
      return sentence(state);
    };
  }

  const initial = { rate: 50, plan: "constant", momentum: 0, curvature: 1, shown: STEPS };
  byhand.figure("valley", {
    initial, build,
    write: ({ rate, plan, momentum, curvature, shown }) =>
      ({ rate, plan, m: momentum / 10, lambda: curvature, n: shown }),
    read: ({ rate, plan, m, lambda, n }) => {
      const read = whole(rate, RATE.min, RATE.max);
      const among = (name, text, write = String) =>
        OPTIONS[name].find((value) => write(value) === text) ?? initial[name];
      return {
        rate: read !== null && read % RATE.step === 0 ? read : initial.rate,
        plan: among("plan", plan), momentum: among("momentum", m, (value) => String(value / 10)),
        curvature: among("curvature", lambda), shown: whole(n, 0, STEPS) ?? initial.shown,
      };
    },
  });
})();

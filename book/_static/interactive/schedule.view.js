// The panels of the figure `schedule`: one curve over the steps each; all in pixels.
Object.assign(byhand.schedule, (() => {
  "use strict";

  const { svg } = byhand;
  const { short, raised } = byhand.schedule;
  const range = (n) => Array.from({ length: Math.max(n, 0) }, (_, i) => i);
  const [TITLE, SCALE] = [28, 20]; // above and below a curve
  const GUTTER = 46; // left of it

  // Where the panels stand for a width: the rate large, the others beside it or below.
  function layout(width) {
    const wide = width >= 560;
    const frame = (left, top, outer, tall) => ({
      left: left + GUTTER, top: top + TITLE, width: outer - GUTTER - 8,
      height: tall - TITLE - SCALE, right: left + outer - 8, bottom: top + tall - SCALE });
    if (!wide) {
      return { height: 490, rate: frame(0, 0, width, 210), momentum: frame(0, 210, width, 140),
               effective: frame(0, 350, width, 140) };
    }
    const main = Math.round(width * 0.58);
    const rest = width - main - 12;
    return { height: 300, rate: frame(0, 0, main, 300), momentum: frame(main + 12, 0, rest, 150),
             effective: frame(main + 12, 150, rest, 150) };
  }

  // About `count` round numbers from low to high.
  function rounded(low, high, count) {
    const rough = (high - low) / count || 1;
    const unit = 10 ** Math.floor(Math.log10(rough));
    const step = unit * [1, 2, 5, 10].find((n) => n * unit >= rough * 0.999);
    const first = Math.ceil(low / step - 1e-9);
    return range(Math.floor(high / step + 1e-9) - first + 1).map((i) => (first + i) * step);
  }

  // The vertical scale: from what to what, where a value stands from 0 to 1, and its marks.
  function linear(low, high, count) {
    const ticks = rounded(low, high, count).map((value) => [value, short(value)]);
    return { place: (value) => (value - low) / (high - low), ticks };
  }
  function logarithmic(values, count) {
    const [low, high] = [Math.min, Math.max].map((pick) => values.reduce((a, b) => pick(a, b)));
    const [first, last] = [Math.floor(Math.log10(low) + 1e-9), Math.ceil(Math.log10(high) - 1e-9)];
    const top = Math.max(last, first + 1);
    const every = Math.ceil((top - first) / count);
    const ticks = range(Math.floor((top - first) / every) + 1).map((i) => {
      const power = first + i * every;
      return [10 ** power, power >= -2 && power <= 3 ? short(10 ** power) : `10${raised(power)}`];
    });
    return { place: (value) => (Math.log10(value) - first) / (top - first), ticks };
  }

  // A panel: title, marks, curve, and the chosen step as a line and a dot.
  function panel({ left, top, width, height, right, bottom }, { name, title, values, scale, at }) {
    const last = Math.max(values.length - 1, 1);
    const x = (step) => left + (step / last) * width;
    const y = (value) => bottom - scale.place(value) * height;
    const point = (step) => `${x(step).toFixed(2)},${y(values[step]).toFixed(2)}`;
    const steps = rounded(0, values.length - 1, width > 250 ? 5 : 3).filter(Number.isInteger);
    const dots = width / last >= 6 ? range(values.length) : [];
    return svg("g", { class: `panel ${name}` },
      svg("text", { class: "name", x: left, y: top - 11 }, title),
      ...scale.ticks.flatMap(([value, text]) => [
        svg("line", { class: "mark", x1: left, x2: right, y1: y(value), y2: y(value) }),
        svg("text", { class: "tick side", x: left - 6, y: y(value) + 4 }, text)]),
      ...steps.map((step) => svg("text", { class: "tick", x: x(step), y: bottom + 15 },
        String(step))),
      svg("line", { class: "chosen-step", x1: x(at), x2: x(at), y1: top, y2: bottom }),
      svg("polyline", { class: "curve", points: range(values.length).map(point).join(" ") }),
      ...dots.map((step) => svg("circle", { class: "dot", cx: x(step), cy: y(values[step]),
                                            r: 2.5 })),
      svg("circle", { class: "chosen-dot", cx: x(at), cy: y(values[at]), r: 5 }));
  }

  return { layout, linear, logarithmic, panel };
})());

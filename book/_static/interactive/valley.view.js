// What the figure `valley` draws: the valley with the ball's path, and two panels over the steps.
Object.assign(byhand.valley, (() => {
  "use strict";

  const { svg, id } = byhand;
  const { STEPS, limits, short } = byhand.valley;
  const range = (n) => Array.from({ length: n }, (_, i) => i);
  const WIDEST = 5; // the walls are drawn for w from −5 to 5
  const HIGHEST = 18.5; // and up to this height
  const FAR = 60; // places beyond are drawn here, outside the picture

  // Where the three stand for a width: beside each other, or below.
  function layout(width) {
    const wide = width >= 560;
    const frame = (left, top, outer, tall, gutter, rest = 8) => ({
      left: left + gutter, top: top + 24, width: outer - gutter - rest, height: tall - 44,
      right: left + outer - rest, bottom: top + tall - 20 });
    if (!wide) {
      return { height: 550, valley: frame(0, 0, width, 270, 8),
               rates: frame(0, 270, width, 140, 34, 42),
               places: frame(0, 410, width, 140, 34, 42) };
    }
    const main = Math.round(width * 0.55);
    const rest = width - main - 14;
    return { height: 320, valley: frame(0, 0, main, 320, 8),
             rates: frame(main + 14, 0, rest, 160, 34, 42),
             places: frame(main + 14, 160, rest, 160, 34, 42) };
  }

  const title = ({ left, top }, text) => svg("text", { class: "name", x: left, y: top - 10 }, text);
  const join = (points) => points.map(([x, y]) => `${x.toFixed(2)},${y.toFixed(2)}`).join(" ");

  // Whatever is drawn in a frame ends at its edge.
  function clipped({ left, top, width, height }, children) {
    const name = id("frame");
    const room = 7; // for half a dot
    return [svg("clipPath", { id: name }, svg("rect", {
      x: left - room, y: top, width: width + 2 * room, height: height + room })),
    svg("g", { "clip-path": `url(#${name})` }, ...children)];
  }

  // The ball's places up to the step that is shown; those outside have no dot.
  function ball(places, shown, at, inside) {
    return [
      svg("polyline", { class: "path", points: join(places.slice(0, shown + 1).map(at)) }),
      ...range(shown + 1).filter((step) => inside(places[step])).map((step) => {
        const [cx, cy] = at(places[step], step);
        const kind = step === shown ? "ball now" : step ? "ball" : "ball start";
        return svg("circle", { class: kind, cx, cy, r: step === shown || !step ? 6 : 4 });
      }),
    ];
  }

  function valley(frame, { curvature, shown }, places) {
    const { left, top, width, right, bottom, height } = frame;
    const near = (w) => Math.min(Math.max(w, -FAR), FAR);
    const x = (w) => left + ((w + WIDEST) / (2 * WIDEST)) * width;
    const y = (w) => bottom - 8 - ((curvature / 2) * w * w / HIGHEST) * (height - 8);
    const at = (w) => [x(near(w)), y(near(w))];
    const wall = range(201).map((i) => at((i / 100 - 1) * WIDEST));
    const inside = (w) => Math.abs(w) <= WIDEST && (curvature / 2) * w * w <= HIGHEST;
    const lost = places.slice(0, shown + 1).filter((w) => !inside(w)).length;
    return svg("g", { class: "valley" },
      title(frame, `valley: y = ${short(curvature / 2)} w²`),
      ...[-4, -2, 0, 2, 4].flatMap((w) => [
        svg("line", { class: "mark", x1: x(w), x2: x(w), y1: bottom - 4, y2: bottom }),
        svg("text", { class: "tick", x: x(w), y: bottom + 15 }, short(w))]),
      svg("line", { class: "mark", x1: left, x2: right, y1: bottom, y2: bottom }),
      ...clipped(frame, [svg("polyline", { class: "wall", points: join(wall) }),
                         ...ball(places, shown, at, inside)]),
      ...(lost ? [svg("text", { class: "name side", x: right, y: top - 10 },
        `${lost} of ${shown + 1} places lie outside`)] : []));
  }

  function marks({ left, right, bottom, width }, ticks, y) {
    return [
      ...ticks.flatMap((value) => [
        svg("line", { class: "mark", x1: left, x2: right, y1: y(value), y2: y(value) }),
        svg("text", { class: "tick side", x: left - 6, y: y(value) + 4 }, short(value))]),
      ...[0, 10, 20, 30, 40].map((step) => svg("text", {
        class: "tick", x: left + (step / STEPS) * width, y: bottom + 15 }, String(step)))];
  }

  const across = ({ left, width }, step) => left + (step / STEPS) * width;

  // The rate of each step, and the limit above which a constant rate makes the ball leave.
  function rates(frame, state, values) {
    const { left, right, bottom, height } = frame;
    const { smooth, stable } = limits(state);
    const top = 1.15 * Math.max(stable, state.rate / 100);
    const y = (value) => bottom - (value / top) * height;
    const lines = [[stable, state.momentum ? "3.8/λ" : "2/λ"],
                   ...(state.momentum ? [] : [[smooth, "1/λ"]])];
    return svg("g", { class: "rates" }, title(frame, "learning rate of each step"),
      ...marks(frame, [0, ...lines.map(([value]) => value)], y),
      ...lines.flatMap(([value, text], i) => [
        svg("line", { class: i ? "limit" : "limit stable", x1: left, x2: right, y1: y(value),
                      y2: y(value) }),
        svg("text", { class: "name", x: right + 5, y: y(value) + 4 }, text)]),
      ...values.map((value, step) => svg("circle", {
        class: step < state.shown ? "rate" : "rate later", cx: across(frame, step), cy: y(value),
        r: step === state.shown - 1 ? 4.5 : 2.5 })));
  }

  function places(frame, { shown }, values) {
    const middle = (frame.top + frame.bottom) / 2;
    const y = (w) => middle - (Math.min(Math.max(w, -FAR), FAR) / WIDEST) * (frame.height / 2);
    return svg("g", { class: "places" }, title(frame, "w after each step"),
      ...marks(frame, [-4, 0, 4], y),
      ...clipped(frame, ball(values, shown, (w, step) => [across(frame, step), y(w)],
        (w) => Math.abs(w) <= WIDEST)));
  }

  return { layout, valley, rates, places };
})());

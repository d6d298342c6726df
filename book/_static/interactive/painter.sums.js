// What the figure `painter` computes: sizes, sums and kernels.
// Values are whole numbers, so that no digit is lost: pixels and sums in tenths.
byhand.painter = (() => {
  "use strict";

  const { minus, decimal } = byhand;
  const range = (n) => Array.from({ length: Math.max(n, 0) }, (_, i) => i);
  const SIDE = 28;

  // The pictures: the digits, and a single 1 in the middle.
  const impulse = range(SIDE).map((r) => range(SIDE).map((c) => (r === 14 && c === 14 ? 10 : 0)));
  const PICTURES = [
    ...byhand.data.painter.digits.map(({ label, rows }) => ({
      name: String(label), pixels: rows.map((row) => [...row].map((v) => parseInt(v, 11))),
    })),
    { name: "impulse", pixels: impulse },
  ];

  // A setting is { picture, weights, s, p, d }: weights in rows, stride, padding, dilation.
  const span = ({ weights, d }) => d * (weights.length - 1) + 1;
  const room = (setting) => SIDE + 2 * setting.p - span(setting);
  const size = (setting) => Math.floor(room(setting) / setting.s) + 1;
  // Rows at the bottom, and columns on the right, that no window reaches.
  const unread = (setting) => (room(setting) < 0 ? 0 : room(setting) % setting.s);

  // The output, rows of sums; no rows if no window fits.
  function compute(setting) {
    const { picture, weights, s, p, d } = setting;
    const { pixels } = PICTURES[picture];
    const taps = weights.flatMap((row, u) => row.map((weight, v) => ({ weight, u, v })))
      .filter(({ weight }) => weight);
    const at = (r, c) => pixels[r]?.[c] ?? 0;
    const stops = range(size(setting));
    return stops.map((i) => stops.map((j) => taps.reduce((sum, { weight, u, v }) =>
      sum + weight * at(i * s + u * d - p, j * s + v * d - p), 0)));
  }

  // The law of sizes: in letters, with the numbers, and worked out.
  function law(setting) {
    const { weights: { length: k }, s, p, d } = setting;
    return [
      "o = ⌊(n + 2p − d(k − 1) − 1) / s⌋ + 1",
      `= ⌊(${SIDE} + 2·${p} − ${d}·(${k} − 1) − 1) / ${s}⌋ + 1`,
      `= ⌊${minus(room(setting))} / ${s}⌋ + 1 = ${minus(size(setting))}`,
    ];
  }

  // What is wrong with a setting, in one line, or "".
  const problem = (setting) => (size(setting) > 0 ? "" : "The kernel does not fit: it spans "
    + `${span(setting)} pixels, and the picture has ${SIDE + 2 * setting.p} with its padding. `
    + "Lower the dilation, or raise the padding.");

  const lines = (n, word) => (n === 1 ? `the last ${word}` : `the last ${n} ${word}s`);

  function sentence(setting, output) {
    if (!output.length) return "There is no output: no window fits.";
    const values = output.flat();
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const left = unread(setting);
    return `The output is ${output.length} × ${output.length}. `
      + (low === high ? `All its numbers are ${decimal(low, 1)}.`
        : `Its numbers go from ${decimal(low, 1)} to ${decimal(high, 1)}.`)
      + (left ? ` No window reaches ${lines(left, "row")} and ${lines(left, "column")}`
        + `${setting.p ? " of the padded picture" : ""}.` : "");
  }

  const PRESETS = {
    "top edges": [[-1, -1, -1], [0, 0, 0], [1, 1, 1]],
    "left edges": [[-1, 0, 1], [-1, 0, 1], [-1, 0, 1]],
    blur: [[1, 1, 1], [1, 1, 1], [1, 1, 1]],
    sharpen: [[0, -1, 0], [-1, 5, -1], [0, -1, 0]],
    shift: [[0, 0, 0], [0, 0, 1], [0, 0, 0]],
    "1 to 9": [[1, 2, 3], [4, 5, 6], [7, 8, 9]],
  };

  const turned = (weights) => weights.map((row) => [...row].reverse()).reverse();

  // The same kernel with k rows: zeros around it, or its middle.
  function resized(weights, k) {
    const off = (weights.length - k) / 2;
    return range(k).map((r) => range(k).map((c) => weights[r + off]?.[c + off] ?? 0));
  }

  return { SIDE, PICTURES, span, size, compute, law, problem, sentence, PRESETS, turned,
           resized };
})();

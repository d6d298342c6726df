// What the figure `tracer` computes: windows, products, sums and regions.
// Values are whole numbers, so that no digit is lost: pixels in tenths, kernels in hundredths,
// conv1 in thousandths, conv2 in hundred-thousandths.
byhand.tracer = (() => {
  "use strict";

  const data = byhand.data.tracer;
  const SIDES = { input: 28, conv1: 14, conv2: 7 };

  const range = (n) => Array.from({ length: n }, (_, i) => i);
  const relu = (value) => Math.max(value, 0);

  // The nine cells under a window of stride 2 and padding 1; outside the map a cell is padding.
  function windowOf(map, row, column) {
    return range(9).map((t) => {
      const r = 2 * row - 1 + Math.floor(t / 3);
      const c = 2 * column - 1 + (t % 3);
      const padding = !(r >= 0 && c >= 0 && r < map.length && c < map.length);
      return { row: r, column: c, padding, value: padding ? 0 : map[r][c] };
    });
  }

  // The nine products of a window with a kernel of three rows.
  const terms = (map, row, column, kernel) => windowOf(map, row, column).map((cell, t) => {
    const weight = kernel[Math.floor(t / 3)][t % 3];
    return { ...cell, weight, product: cell.value * weight };
  });

  const total = (products) => products.reduce((sum, { product }) => sum + product, 0);

  // One output map: sums over all input maps plus the bias, before ReLU.
  function convolve(maps, kernels, bias, side) {
    return range(side).map((r) => range(side).map((c) =>
      kernels.reduce((sum, kernel, m) => sum + total(terms(maps[m], r, c, kernel)), bias)));
  }

  // All values of a digit: input, and for each layer its sums and what ReLU leaves of them.
  function compute(digit) {
    const input = data.digits[digit].rows.map((row) => [...row].map((v) => parseInt(v, 11)));
    const { conv1: one, conv2: two } = data;
    const rectify = (map) => map.map((row) => row.map(relu));
    const sums = one.weight.map((kernels, m) =>
      convolve([input], kernels, one.bias[m] * 10, SIDES.conv1));
    const maps = sums.map(rectify);
    const out = convolve(maps, two.weight[0], two.bias[0] * 1000, SIDES.conv2);
    return { input, conv1: { sums, maps }, conv2: { sums: out, map: rectify(out) } };
  }

  // First and last index, inside the layer below, that cell i of a layer depends on.
  const back = ([low, high], side) => [Math.max(2 * low - 1, 0), Math.min(2 * high + 1, side - 1)];
  function region(row, column) {
    const conv1 = [row, column].map((i) => back([i, i], SIDES.conv1));
    return { conv1, input: conv1.map((span) => back(span, SIDES.input)) };
  }

  return { compute, windowOf, terms, total, region };
})();

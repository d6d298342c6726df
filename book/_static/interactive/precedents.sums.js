// What the figure `precedents` computes: two layers without padding, windows, and what they read.
byhand.precedents = (() => {
  "use strict";

  const { input, first, second } = byhand.data.precedents;
  const range = (n) => Array.from({ length: n }, (_, i) => i);
  const SIDE = input.length;

  // The nine products of a window whose top left cell is at row, column.
  const terms = (map, row, column, kernel) => range(9).map((t) => {
    const [u, v] = [Math.floor(t / 3), t % 3];
    const value = map[row + u][column + v];
    const weight = kernel[u][v];
    return { row: row + u, column: column + v, value, weight, product: value * weight };
  });
  const total = (products) => products.reduce((sum, { product }) => sum + product, 0);

  function convolve(map, kernel, stride) {
    const stops = range(Math.floor((map.length - 3) / stride) + 1);
    return stops.map((i) => stops.map((j) =>
      total(terms(map, i * stride, j * stride, kernel))));
  }

  // Both layers for a stride of layer one; the stride of layer two is 1.
  function compute(stride) {
    const one = convolve(input, first, stride);
    return { one, two: convolve(one, second, 1) };
  }

  // First and last row and column that an output reads, in layer one and in the input.
  function region(row, column, stride) {
    const one = [row, column].map((at) => [at, at + 2]);
    return { one, input: one.map(([low, high]) => [low * stride, high * stride + 2]) };
  }

  // The one kernel that does the work of both: weight (t, z) adds the products of the pairs of
  // weights that meet at the offset (t, z).
  function merged(stride) {
    const side = 2 * stride + 3;
    const weights = range(side).map(() => range(side).map(() => 0));
    second.forEach((line, u) => line.forEach((outer, v) =>
      first.forEach((row, p) => row.forEach((inner, q) => {
        weights[u * stride + p][v * stride + q] += outer * inner;
      }))));
    return weights;
  }

  // The products of the pixels that an output reads with their merged weights.
  const direct = (row, column, stride) => merged(stride).flatMap((line, t) =>
    line.map((weight, z) => {
      const value = input[row * stride + t][column * stride + z];
      return { value, weight, product: value * weight };
    }));

  return { SIDE, terms, total, compute, region, merged, direct };
})();

// What the figure `batchsize` computes: batch means, and what a layer answers to one picture.
byhand.batchsize = (() => {
  "use strict";

  const { batches, example, layer, population, running } = byhand.data.batchsize;
  const LARGEST = batches[0].length;

  const total = (values) => values.reduce((sum, value) => sum + value, 0);
  const average = (values) => total(values) / values.length;

  // Mean and variance, divided by their number; whole numbers keep both as exact as can be.
  function statistics(values) {
    const n = values.length;
    const squares = total(values.map((value) => value ** 2));
    return { mean: total(values) / n, variance: (n * squares - total(values) ** 2) / n ** 2 };
  }

  const deviation = (values) => {
    const mean = average(values);
    return Math.sqrt(average(values.map((value) => (value - mean) ** 2)));
  };

  // The layer's output for a number under some statistics.
  const output = (x, { mean, variance }) =>
    layer.gamma * (x - mean) / Math.sqrt(variance + layer.eps) + layer.beta;

  // The first n pictures of a batch; and the same with the example in place of the first.
  const drawn = (batch, n) => batches[batch].slice(0, n);
  const shown = (batch, n) => [example, ...batches[batch].slice(1, n)];

  // For batches of n: their means and how they scatter, and the outputs for the example.
  function compute(n, training) {
    const means = batches.map((_, b) => average(drawn(b, n)));
    const outputs = batches.map((_, b) =>
      output(example, training ? statistics(shown(b, n)) : running));
    return { means, outputs, scatter: deviation(means),
             theory: population.deviation / Math.sqrt(n) };
  }

  return { LARGEST, statistics, output, drawn, shown, compute };
})();

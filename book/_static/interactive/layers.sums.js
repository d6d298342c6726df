// What the figure `layers` computes: sizes, receptive fields, and what one unit depends on.
// A layer is [kernel, stride, padding, dilation]; n is the number of pixels.
byhand.layers = (() => {
  "use strict";

  const { minus } = byhand;
  const range = (n) => Array.from({ length: Math.max(n, 0) }, (_, i) => i);
  const span = ([kernel, , , dilation]) => dilation * (kernel - 1) + 1;
  const sizeAfter = (layer, n) =>
    Math.floor((n + 2 * layer[2] - span(layer)) / layer[1]) + 1;

  // One row for the input and one for each layer that fits. `field` is the receptive field
  // without borders, `start` the centre of unit 0's field; the centre of pixel 0 is 0.
  function table(layers, n) {
    const rows = [{ size: n, jump: 1, field: 1, start: 0 }];
    for (const layer of layers) {
      const { size, jump, field, start } = rows.at(-1);
      const [, stride, padding] = layer;
      if (sizeAfter(layer, size) < 1) break;
      rows.push({
        size: sizeAfter(layer, size), jump: jump * stride, field: field + (span(layer) - 1) * jump,
        start: start + ((span(layer) - 1) / 2 - padding) * jump,
      });
    }
    return rows;
  }

  // What is wrong with the first layer that does not fit, in one line, or "".
  function problem(layers, n) {
    const rows = table(layers, n);
    const at = rows.length - 1;
    if (at === layers.length) return "";
    const wide = rows[at].size + 2 * layers[at][2];
    return `Layer ${at + 1} does not fit: its window is ${span(layers[at])} wide, and what it `
      + `reads is ${wide} wide with padding.`;
  }

  // The cells under the window of a unit, outside the row too.
  const taps = ([kernel, stride, padding, dilation], unit) =>
    range(kernel).map((t) => unit * stride - padding + t * dilation);

  // For each row, from the input to the last layer, the units that one unit of the last layer
  // depends on, in order; and the cells of padding that they touch.
  function cone(layers, n, unit) {
    const rows = table(layers, n);
    const found = [{ units: [unit], padding: [] }];
    for (let row = rows.length - 2; row >= 0; row -= 1) {
      const read = new Set(found[0].units.flatMap((u) => taps(layers[row], u)));
      const cells = [...read].sort((a, b) => a - b);
      const inside = (i) => i >= 0 && i < rows[row].size;
      found.unshift({ units: cells.filter(inside), padding: cells.filter((i) => !inside(i)) });
    }
    return found;
  }

  // The pixels that a unit reads: first, last and how many; null if it reads padding alone.
  function region(layers, n, unit) {
    const { units } = cone(layers, n, unit)[0];
    return units.length ? { first: units[0], last: units.at(-1), count: units.length } : null;
  }

  // The first and the last pixel of a unit's receptive field, borders ignored.
  function field(layers, n, unit) {
    const { jump, field: width, start } = table(layers, n).at(-1);
    const centre = start + unit * jump;
    return { centre, first: centre - (width - 1) / 2, last: centre + (width - 1) / 2 };
  }

  // In words: the pixels of a region, and what the chosen unit reads.
  const pixels = ({ first, last, count }) => (count === 1 ? `pixel ${first}`
    : count === last - first + 1 ? `pixels ${first} to ${last}`
      : `${count} of the pixels ${first} to ${last}`);

  function sentence({ layers, n }, unit) {
    const rows = table(layers, n);
    const read = region(layers, n, unit);
    const reach = field(layers, n, unit);
    const { field: width } = rows.at(-1);
    const who = rows.length > 1 ? `Unit ${unit} of layer ${rows.length - 1}` : `Pixel ${unit}`;
    const beyond = reach.first < 0 || reach.last > n - 1;
    return `${who} reads ${read ? pixels(read) : "padding alone"}. Its receptive field is ${width} `
      + `wide, from ${minus(reach.first)} to ${minus(reach.last)}, centred on `
      + `${minus(reach.centre)}${beyond ? "; beyond the border lies padding" : ""}.`;
  }

  const three = [3, 1, 1, 1];
  const halving = [3, 2, 1, 1];
  const pool = [2, 2, 0, 1];
  const PRESETS = {
    "three 3 × 3": { n: 16, layers: [three, three, three] },
    "two with stride 2": { n: 16, layers: [halving, halving] },
    "dilated 1, 2, 4": { n: 24, layers: [three, [3, 1, 2, 2], [3, 1, 4, 4]] },
    "with pooling": { n: 18, layers: [three, pool, three, pool] },
    simple_cnn: { n: 28, layers: [[5, 2, 2, 1], halving, halving, halving, halving] },
  };

  return { table, problem, taps, cone, region, field, pixels, sentence, PRESETS };
})();

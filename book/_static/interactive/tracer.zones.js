// Where the maps of the figure `tracer` stand, in pixels.
Object.assign(byhand.tracer, (() => {
  "use strict";

  const LABEL = 22; // pixels above a map

  // Where everything stands for a width: maps as {x, y, cell, side}; wide is one row.
  function layout(width) {
    const wide = width >= 600;
    const cell = Math.min(wide ? 10 : 9, Math.floor((width - (wide ? 80 : 20)) / (wide ? 74 : 46)));
    const stack = 2 * (16 * cell + LABEL);
    const big = wide ? 4 * cell : Math.min(36, Math.floor(width / 7.2));
    const gap = wide ? (width - 74 * cell) / 2 : width - 46 * cell;
    const inputX = cell;
    const mapX = inputX + 29 * cell + gap * (wide ? 1 : 0.9) + cell;
    const place = (x, y, size, side) => ({ x, y, cell: size, side });
    const middle = (content) => LABEL + (stack - LABEL - content) / 2;
    const height = wide ? stack : stack + 7 * big + LABEL + 17;
    return {
      width, height, wide,
      input: place(inputX, middle(28 * cell), cell, 28),
      maps: [0, 1].map((m) => place(mapX, LABEL + cell + m * (16 * cell + LABEL), cell, 14)),
      conv2: wide ? place(width - 28 * cell - 7, middle(28 * cell), big, 7)
        : place((width - 7 * big) / 2, height - 7 * big - 7, big, 7),
    };
  }

  return { layout };
})());

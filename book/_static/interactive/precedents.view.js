// Where the maps of the figure `precedents` stand, in pixels, and how their numbers are drawn.
Object.assign(byhand.precedents, (() => {
  "use strict";

  const { svg, around } = byhand;
  const { SIDE } = byhand.precedents;
  const LABEL = 20; // pixels above a map
  const range = (n) => Array.from({ length: n }, (_, i) => i);
  const largest = (values) => Math.max(...values.flat().map(Math.abs), 1);

  // Where the maps stand for a width: one row, or the input above the other two.
  function layout(width, one, two) {
    const wide = width >= 560;
    const across = wide ? 21 : 12; // cells, at stride 1
    const gap = wide ? Math.min(width * 0.07, 56) : 24;
    const cell = Math.min(Math.floor((width - 4 - (wide ? 2 : 1) * gap) / across), 30);
    const map = (x, y, side) => ({ x, y, cell, side });
    const content = across * cell + (wide ? 2 : 1) * gap;
    const left = (width - content) / 2;
    if (!wide) {
      const below = 2 * LABEL + SIDE * cell + 8;
      return {
        height: below + 7 * cell + 4,
        input: map((width - SIDE * cell) / 2, LABEL, SIDE),
        one: map(left + (7 - one) * cell / 2, below + (7 - one) * cell / 2, one),
        two: map(left + 7 * cell + gap + (5 - two) * cell / 2,
          below + (7 - two) * cell / 2, two),
      };
    }
    const middle = (side) => LABEL + (SIDE - side) * cell / 2;
    return {
      height: LABEL + SIDE * cell + 4,
      input: map(left, middle(SIDE), SIDE),
      one: map(left + 9 * cell + gap + (7 - one) * cell / 2, middle(one), one),
      two: map(left + 16 * cell + 2 * gap + (5 - two) * cell / 2, middle(two), two),
    };
  }

  // A map as cells with numbers; `show(row, column)` gives text, strength and class of a cell.
  function numbers(map, name, show) {
    return svg("g", { class: `numbers ${name}` }, ...range(map.side * map.side).map((t) => {
      const [r, c] = [Math.floor(t / map.side), t % map.side];
      const { text, strength, className = "" } = show(r, c);
      const shape = around(map, [r, r], [c, c]);
      return svg("g", { class: className },
        svg("rect", { ...shape, "fill-opacity": strength.toFixed(3) }),
        svg("text", { x: shape.x + map.cell / 2, y: shape.y + map.cell / 2 }, text));
    }));
  }

  const label = (text, map) => svg("text", { class: "name", x: map.x, y: map.y - 6 }, text);

  return { layout, numbers, label, largest };
})());

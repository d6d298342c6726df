// Where the figure `norms` draws its brick: two rows of four tiles, and lines around cells.
Object.assign(byhand.norms, (() => {
  "use strict";

  const GUTTER = 22; // left of the tiles: which picture
  const HEAD = 20; // above them: which channel
  const GAP = 0.34; // between tiles, in cells

  // Where things stand for a width: cells, and the box of a place of the brick.
  function layout(width) {
    const cell = Math.min((width - GUTTER - 3) / (12 + 3 * GAP), 40);
    const box = ([n, c, h, w]) => ({
      x: GUTTER + c * (3 + GAP) * cell + w * cell, y: HEAD + n * (3 + GAP) * cell + h * cell });
    return { cell, box, width: (12 + 3 * GAP) * cell, height: HEAD + (6 + GAP) * cell + 3 };
  }

  // A line around all cells that share a mean, tile by tile.
  function outline(mine, { cell, box }) {
    const inside = new Set(mine.map(String));
    const sides = [[-1, 0, 0, 0, "h"], [1, 0, 0, 1, "h"], [0, -1, 0, 0, "v"], [0, 1, 1, 0, "v"]];
    return mine.flatMap(([n, c, h, w]) => sides.map(([dh, dw, right, down, way]) => {
      if (inside.has(String([n, c, h + dh, w + dw]))) return "";
      const { x, y } = box([n, c, h, w]);
      return `M${x + right * cell} ${y + down * cell}${way}${cell}`;
    })).join("");
  }

  return { GUTTER, HEAD, GAP, layout, outline };
})());

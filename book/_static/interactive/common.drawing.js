// What the figures draw alike: boxes on maps, beams between them, names, and tables of products.
Object.assign(byhand, (() => {
  "use strict";

  const { html, svg, put } = byhand;
  const range = (n) => Array.from({ length: Math.max(n, 0) }, (_, i) => i);

  // A map stands at x, y and has cells of `cell` pixels; spans are [first, last], rows downwards.
  const box = (x, y, width, height) => ({ x, y, width, height });
  const around = (map, [top, bottom], [left, right]) => box(
    map.x + left * map.cell, map.y + top * map.cell,
    (right - left + 1) * map.cell, (bottom - top + 1) * map.cell);
  const outline = (name, shape) => svg("rect", { class: name, ...shape });

  // The outline around two boxes: the beam from one to the other.
  function hull(a, b) {
    const points = [a, b].flatMap(({ x, y, width, height }) =>
      [[x, y], [x + width, y], [x, y + height], [x + width, y + height]])
      .sort((p, q) => p[0] - q[0] || p[1] - q[1]);
    const turn = (o, p, q) => (p[0] - o[0]) * (q[1] - o[1]) - (p[1] - o[1]) * (q[0] - o[0]);
    const half = (list) => list.reduce((chain, point) => {
      while (chain.length > 1 && turn(chain.at(-2), chain.at(-1), point) <= 0) chain.pop();
      return [...chain, point];
    }, []).slice(0, -1);
    return [...half(points), ...half([...points].reverse())].map((p) => p.join()).join(" ");
  }
  const beam = (name, a, b) => svg("polygon", { class: name, points: hull(a, b) });

  const words = ([low, high]) => (low === high ? `${low}` : `${low} to ${high}`);
  const place = (row, column) => `row ${row}, column ${column}`;

  // Nine products as a table of three rows; with `choose`, a grid whose cells can be chosen.
  // `format(cell)` gives the texts of a cell's value, weight and product.
  function products({ kind, format, choose }) {
    const caption = html("caption");
    const cells = range(3).map(() => range(3).map(() => html("td", {},
      html("span", { class: "value" }), html("span", { class: "weight" }),
      html("span", { class: "product" }))));
    const element = html("table", { class: `products ${kind}`, role: choose ? "grid" : null },
      caption, html("tbody", {}, ...cells.map((row) => html("tr", {}, ...row))));
    const control = choose && byhand.grid(cells, choose);
    const update = (title, nine, top, at) => {
      caption.textContent = title;
      cells.flat().forEach((cell, t) => {
        const { value, product, padding } = nine[t];
        cell.classList.toggle("padded", Boolean(padding));
        cell.classList.toggle("zero", product === 0);
        cell.classList.toggle("here", Boolean(at) && at[0] * 3 + at[1] === t);
        cell.style.setProperty("--tint", `${Math.round(50 * Math.min(value / top, 1))}%`);
        format(nine[t]).forEach((text, i) => {
          cell.children[i].textContent = text;
        });
      });
      if (at) control.select(...at);
      else if (control) control.clear();
    };
    if (control) control.select(1, 1);
    return { element, update };
  }

  // Cells of a map, rows of numbers, that a reader chooses among. `update` gets where the map
  // stands, and what each cell says, how strong its colour is, and whether it lies below 0.
  function choices({ rows, columns, name, className, choose }) {
    const cells = range(rows).map(() => range(columns).map(() =>
      svg("g", { class: "cell" }, svg("rect", {}), svg("text", {}))));
    const element = svg("g", { role: "grid", class: className, "aria-label": name },
      ...cells.map((row) => svg("g", { role: "row" }, ...row)));
    const control = byhand.grid(cells, choose);
    const update = (map, [row, column], show) => {
      cells.forEach((line, r) => line.forEach((cell, c) => {
        const [rect, text] = cell.children;
        const { x, y, width, height } = around(map, [r, r], [c, c]);
        const { label, strength, short = label, below = false } = show(r, c);
        put(rect, { x, y, width, height, "fill-opacity": strength.toFixed(3),
                    class: below ? "below" : null });
        const size = width > 32 ? 13 : width > 26 ? 11 : 10;
        put(text, { x: x + width / 2, y: y + height / 2, "font-size": size });
        text.textContent = short;
        cell.setAttribute("aria-label", `${place(r, c)}: ${label}`);
      }));
      control.select(row, column);
    };
    return { element, update };
  }

  return { box, around, outline, hull, beam, words, place, products, choices };
})());

// Where a reader of the figure `painter` draws a kernel: by clicks, by keys, or as numbers.
Object.assign(byhand.painter, (() => {
  "use strict";

  const { html, minus, place } = byhand;
  const range = (n) => Array.from({ length: n }, (_, i) => i);
  const [LOW, HIGH] = [-9, 9];
  const BRUSHES = [-1, 0, 1, 2];

  // The weight that a key gives a cell, or null: digits, a minus that turns the sign, Delete.
  function typed(key, weight, brush) {
    if (/^\d$/.test(key)) return Number(key);
    if (key === "-" || key === "−") return weight ? -weight : 0;
    if (key === "Delete" || key === "Backspace") return 0;
    return key === " " || key === "Enter" ? brush : null;
  }

  // change(part of the state) is called with weights, at, brush; complain(text) as for a number.
  function tools({ change, complain }) {
    let state;
    let cells = [];
    let control;
    const body = html("tbody");
    const element = html("table", { class: "drawn", role: "grid" },
      html("caption", {}, "Kernel"), body);
    const brush = byhand.choice({
      legend: "A click paints", options: BRUSHES.map((value) => ({ value, label: minus(value) })),
      change: (value) => change({ brush: Number(value) }),
    });
    const weight = byhand.number({
      label: "Chosen weight", min: LOW, max: HIGH, visible: true, complain,
      change: (value) => paint(...state.at, value),
    });

    function paint(r, c, value) {
      change({ at: [r, c], weights: state.weights.map((row, i) => row.map((old, j) =>
        (i === r && j === c ? value : old))) });
    }

    // The cell that a pointer is on, or null; a finger keeps its first target.
    function under(event) {
      const found = document.elementFromPoint(event.clientX, event.clientY);
      const r = cells.findIndex((row) => row.includes(found));
      return r < 0 ? null : [r, cells[r].indexOf(found)];
    }
    const stroke = (event) => {
      const at = event.buttons & 1 ? under(event) : null;
      if (at && (event.type === "pointerdown" || state.at.join() !== at.join())) {
        paint(...at, state.brush);
      }
    };
    element.addEventListener("pointerdown", stroke);
    element.addEventListener("pointermove", stroke);
    element.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const [r, c] = state.at;
      const value = typed(event.key, state.weights[r][c], state.brush);
      if (value === null) return;
      event.preventDefault();
      paint(r, c, value);
    });

    function rebuild(k) {
      cells = range(k).map(() => range(k).map(() => html("td")));
      control = byhand.grid(cells, (r, c) => change({ at: [r, c] }));
      body.replaceChildren(...cells.map((row) => html("tr", {}, ...row)));
    }

    const update = (now) => {
      state = now;
      const { weights, at, brush: value } = now;
      if (cells.length !== weights.length) rebuild(weights.length);
      const top = Math.max(...weights.flat().map(Math.abs), 1);
      cells.forEach((row, r) => row.forEach((cell, c) => {
        const own = weights[r][c];
        cell.textContent = minus(own);
        cell.setAttribute("aria-label", `${place(r, c)}: ${minus(own)}`);
        cell.classList.toggle("below", own < 0);
        cell.classList.toggle("here", r === at[0] && c === at[1]);
        cell.style.setProperty("--tint", `${Math.round(45 * Math.abs(own) / top)}%`);
      }));
      control.select(...at);
      brush.set(value);
      weight.set(weights[at[0]][at[1]]);
    };
    return { table: element, brush: brush.element, weight: weight.element, update };
  }

  return { tools, WEIGHTS: [LOW, HIGH], BRUSHES };
})());

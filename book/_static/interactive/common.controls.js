// The controls that the interactive figures share: buttons, choices, sliders, numbers, and a grid
// for the keyboard.
Object.assign(byhand, (() => {
  "use strict";

  const { html, put, id, whole, minus } = byhand;

  // Controls. Each returns its element and `set`, which shows a value without calling `change`.

  function button(text, action) {
    const node = html("button", { type: "button" }, text);
    node.addEventListener("click", action);
    return node;
  }

  function choice({ legend, options, change }) {
    const name = id("choice");
    const inputs = options.map(({ value }) => html("input", { type: "radio", name, value }));
    const element = html("fieldset", { class: "choice" }, html("legend", {}, legend),
      ...options.map(({ label }, i) => html("label", {}, inputs[i], html("span", {}, label))));
    element.addEventListener("change", (event) => change(event.target.value));
    const set = (value) => inputs.forEach((input) => {
      input.checked = input.value === String(value);
    });
    return { element, set };
  }

  function slider({ label, change, format = String }) {
    const name = id("slider");
    const input = html("input", { id: name, type: "range", min: 0, max: 1, step: 1 });
    const output = html("output", { for: name });
    const element = html("div", { class: "slider" },
      html("label", { for: name }, label), input, output);
    input.addEventListener("input", () => change(Number(input.value)));
    const set = (value, limits = {}) => {
      Object.assign(input, limits); // min, max, step and disabled, before the value
      input.value = value;
      output.textContent = format(value);
      input.setAttribute("aria-valuetext", format(value));
    };
    return { element, set };
  }

  // `complain` gets one line while what is typed is not a whole number from min to max, else "".
  function number({ label, min, max, change, complain, visible = false }) {
    const name = id("number");
    const input = html("input", {
      id: name, type: "number", min, max, step: 1, required: true, inputmode: "numeric",
      "aria-label": visible ? null : label,
    });
    const element = html("span", { class: "number" },
      ...(visible ? [html("label", { for: name }, label)] : []), input);
    let shown = "";
    const judge = (value) => {
      put(input, { "aria-invalid": String(value === null) });
      complain(value === null
        ? `${label}: enter a whole number from ${minus(min)} to ${max}.` : "");
    };
    input.addEventListener("input", () => {
      const value = whole(input.value, min, max);
      judge(value);
      if (value !== null) change(value);
    });
    input.addEventListener("change", () => {
      if (whole(input.value, min, max) !== null) return;
      input.value = shown; // leaving the field, or Enter, takes back what cannot be
      judge(shown);
    });
    const set = (value) => {
      shown = value;
      if (input.value !== String(value)) input.value = value;
      put(input, { "aria-invalid": "false" });
    };
    return { element, set, focus: () => input.focus() };
  }

  // A grid of cells, rows of elements: arrow keys, Home and End (with Ctrl, of the whole grid)
  // and clicks call choose(row, column). One cell is in the order of the Tab key: the chosen one,
  // or after clear() the one that was chosen last.
  function grid(rows, choose) {
    let at = [0, 0];
    const each = (act) => rows.forEach((row, r) => row.forEach((cell, c) => act(cell, r, c)));
    const mark = (chosen) => each((cell, r, c) => {
      const on = r === at[0] && c === at[1];
      put(cell, { "aria-selected": String(on && chosen), tabindex: on ? 0 : -1 });
    });
    const select = (row, column) => {
      at = [row, column];
      mark(true);
    };
    const clear = () => mark(false);
    const move = (event) => {
      const [r, c] = at;
      const last = [rows.length - 1, rows[r].length - 1];
      const all = event.ctrlKey || event.metaKey;
      const targets = {
        ArrowUp: [r - 1, c], ArrowDown: [r + 1, c], ArrowLeft: [r, c - 1], ArrowRight: [r, c + 1],
        Home: [all ? 0 : r, 0], End: [all ? last[0] : r, last[1]],
      };
      const target = event.altKey || event.shiftKey ? null : targets[event.key];
      if (!target) return;
      event.preventDefault();
      const row = Math.min(Math.max(target[0], 0), last[0]);
      const column = Math.min(Math.max(target[1], 0), last[1]);
      choose(row, column);
      rows[row][column].focus();
    };
    each((cell, r, c) => {
      cell.setAttribute("role", "gridcell");
      cell.addEventListener("keydown", move);
      cell.addEventListener("click", () => {
        choose(r, c);
        cell.focus();
      });
    });
    clear();
    return { select, clear };
  }

  return { button, choice, slider, number, grid };
})());

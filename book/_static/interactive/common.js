// What the interactive figures of the book share: elements, numbers, and a state that lives in the
// address; common.controls.js has the controls. Classic scripts, so that a page works as a file.
window.byhand = (() => {
  "use strict";

  const SVG = "http://www.w3.org/2000/svg";
  const SAVE_AFTER = 200; // milliseconds; browsers refuse an address that changes too often
  let ids = 0;

  // Set attributes of an element; those that are null or false are removed.
  function put(node, attributes) {
    for (const [name, value] of Object.entries(attributes)) {
      if (value === null || value === false) node.removeAttribute(name);
      else node.setAttribute(name, value === true ? "" : value);
    }
    return node;
  }

  // A new HTML or SVG element with its attributes and children, which may be texts.
  function create(node, attributes, children) {
    put(node, attributes).append(...children);
    return node;
  }
  const html = (name, attributes = {}, ...children) =>
    create(document.createElement(name), attributes, children);
  const svg = (name, attributes = {}, ...children) =>
    create(document.createElementNS(SVG, name), attributes, children);
  const id = (word) => `byhand-${word}-${(ids += 1)}`;

  // A size, such as 3 × 3, stays in one line.
  const bound = (text) => text.replace(/(\d) × (?=\d)/g, "$1\u00a0×\u00a0");

  // Numbers as the book prints them, with a real minus sign.
  const minus = (text) => String(text).replace("-", "−");

  // A whole number of 1 / 10^places as a decimal: decimal(-270475, 5) is "−2.70475".
  function decimal(whole, places) {
    const digits = String(Math.abs(whole)).padStart(places + 1, "0");
    const cut = digits.length - places;
    return (whole < 0 ? "−" : "") + digits.slice(0, cut) + (places ? "." : "") + digits.slice(cut);
  }

  // A text as a whole number between two limits, else null.
  function whole(text, low, high) {
    const value = /^-?\d{1,6}$/.test(String(text).trim()) ? Number(text) : NaN;
    return value >= low && value <= high ? value : null;
  }

  // A pattern for cells of padding; paint with fill="url(#…)".
  function hatch(drawing) {
    const name = id("hatch");
    drawing.prepend(svg("defs", {}, svg("pattern", {
      id: name, width: 4, height: 4, patternUnits: "userSpaceOnUse",
      patternTransform: "rotate(45)",
    }, svg("rect", { width: 4, height: 4, class: "paper" }),
    svg("rect", { width: 1.3, height: 4, class: "hatching" }))));
    return `url(#${name})`;
  }

  // The states of figures in an address: "#tracer:r=3,c=2;layers:n=9" is a Map from key to text.
  // Any other fragment, such as a heading's, holds none.
  function parse(hash) {
    const parts = hash.replace(/^#/, "").split(";");
    const found = parts.map((part) => /^([a-z][a-z0-9-]*):([\w.,=-]*)$/.exec(part));
    return new Map(found.every(Boolean) ? found.map(([, key, text]) => [key, text]) : []);
  }

  const pack = (values) =>
    Object.entries(values).map(([name, value]) => `${name}=${value}`).join(",");
  const unpack = (text) => Object.fromEntries(text.split(",").map((pair) => pair.split("=")));
  const join = (states) => [...states].map(([key, text]) => `${key}:${text}`).join(";");

  // Make every figure of that name on the page work. A plan has
  //   initial       its first state, an object
  //   build(figure) draws it once and returns update(state), which returns the live sentence
  //   write(state)  the state as a flat object of short values, for the address
  //   read(values)  the state from such an object of texts; what is wrong falls back on initial
  // A figure has body, where to draw; set(change), which changes its state; and its live line.
  function figure(name, plan) {
    const start = () => document.querySelectorAll(`[data-interactive="${name}"]`)
      .forEach((root) => mount(root, plan));
    if (document.readyState !== "loading") start();
    else document.addEventListener("DOMContentLoaded", start);
  }

  function mount(root, plan) {
    const { key } = root.dataset;
    const body = html("div", { class: "interactive-main" });
    const live = html("p", { class: "live", role: "status" });
    const link = html("a", {}, "Link to this view");
    const initial = pack(plan.write(plan.initial));
    let state = { ...plan.initial };
    let timer;

    const address = () => {
      const states = parse(location.hash);
      const text = pack(plan.write(state));
      if (text === initial) states.delete(key);
      else states.set(key, text);
      return states.size ? `#${join(states)}` : "";
    };
    const save = () => history.replaceState(
      null, "", address() || location.href.replace(/#.*$/, ""));
    const draw = () => {
      const sentence = bound(update(state));
      if (live.textContent !== sentence) live.textContent = sentence;
      link.setAttribute("href", `#${key}:${pack(plan.write(state))}`);
    };
    const set = (change) => {
      state = { ...state, ...change };
      draw();
      clearTimeout(timer);
      timer = setTimeout(save, SAVE_AFTER);
    };
    const load = () => {
      const text = parse(location.hash).get(key);
      if (text === undefined) return;
      state = { ...plan.initial, ...plan.read(unpack(text)) };
      draw();
    };

    const reset = byhand.button("Reset", () => set(plan.initial));
    const update = plan.build({ body, live, set });
    if (!live.isConnected && !body.contains(live)) body.append(live);
    root.replaceChildren(body, html("div", { class: "interactive-foot" }, reset, link));
    draw();
    load();
    addEventListener("hashchange", load);
    if (parse(location.hash).keys().next().value === key) {
      const show = () => root.scrollIntoView({ block: "start" });
      if (document.readyState === "complete") show();
      else addEventListener("load", show);
    }
    root.dataset.ready = "true";
  }

  // Call draw(width) now and whenever the width of an element changes.
  function fit(node, draw) {
    let width = 0;
    new ResizeObserver(() => {
      const now = Math.floor(node.clientWidth);
      if (now === width || !now) return;
      width = now;
      draw(width);
    }).observe(node);
  }

  return { data: {}, html, svg, put, id, minus, decimal, whole, hatch, parse, pack, unpack, figure,
           fit };
})();

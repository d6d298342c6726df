// What the figure `schedule` computes: PyTorch's 1cycle, step by step, and the call that gives it.
// pct, base and top are in hundredths, so that 0.3 is 30 and no digit is lost.
byhand.schedule = (() => {
  "use strict";

  const range = (n) => Array.from({ length: n }, (_, i) => i);
  const anneal = {
    cos: (start, end, share) => end + ((start - end) / 2) * (Math.cos(Math.PI * share) + 1),
    linear: (start, end, share) => (end - start) * share + start,
  };

  // The parts of a cycle: the step at which each ends, which need not be whole, and from where to
  // where rate and momentum go.
  function parts({ steps, peak, pct, div, final, phases, base, top }) {
    const share = pct / 100;
    const [low, high] = [base / 100, top / 100];
    const start = peak / div;
    const up = { end: share * steps - 1, rate: [start, peak], momentum: [high, low] };
    const last = { end: steps - 1, rate: [peak, start / final], momentum: [low, high] };
    if (phases === 2) return [up, last];
    const down = { end: 2 * share * steps - 2, rate: [peak, start], momentum: [low, high] };
    return [up, down, { ...last, rate: [start, start / final], momentum: [high, high] }];
  }

  // PyTorch divides zero by zero at step 0 if the climb ends there.
  const fails = (state) => parts(state)[0].end === 0;

  // The values of every step: rate, momentum, and rate / (1 − momentum); null if PyTorch fails.
  function curves(state) {
    if (fails(state)) return null;
    const all = parts(state);
    const between = anneal[state.shape];
    const values = range(state.steps).map((step) => {
      const found = all.findIndex(({ end }) => step <= end);
      const at = found < 0 ? all.length - 1 : found;
      const begin = at ? all[at - 1].end : 0;
      const share = (step - begin) / (all[at].end - begin);
      return [between(...all[at].rate, share), between(...all[at].momentum, share)];
    });
    return {
      rate: values.map(([rate]) => rate), momentum: values.map(([, momentum]) => momentum),
      effective: values.map(([rate, momentum]) => rate / (1 - momentum)),
    };
  }

  // The first step with the highest rate.
  const highest = (rate) => rate.indexOf(rate.reduce((a, b) => Math.max(a, b)));

  // 0.04, 6.667, 4 × 10⁻⁶, 10⁻⁴: four digits.
  const raised = (power) => [...String(power)].map((c) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(c)])
    .join("");
  function short(value) {
    if (!value || (value >= 0.001 && value < 10000)) return String(Number(value.toPrecision(4)));
    const [digits, power] = value.toExponential(3).split("e");
    return `${digits === "1.000" ? "" : `${Number(digits)} × `}10${raised(Number(power))}`;
  }

  const float = (value) => (Number.isInteger(value) ? value.toFixed(1) : String(value));

  const call = ({ steps, peak, pct, div, final, shape, phases, base, top }) => [
    "from torch.optim import lr_scheduler", "",
    "scheduler = lr_scheduler.OneCycleLR(",
    `    optimizer, max_lr=${float(peak)},`,
    `    total_steps=${steps},`,
    `    pct_start=${float(pct / 100)},`,
    `    anneal_strategy="${shape}",`,
    `    base_momentum=${float(base / 100)},`,
    `    max_momentum=${float(top / 100)},`,
    `    div_factor=${float(div)},`,
    `    final_div_factor=${float(final)},`,
    `    three_phase=${phases === 3 ? "True" : "False"},`,
    ")",
  ].join("\n");

  const problem = ({ steps, pct }) => "PyTorch stops with a ZeroDivisionError here: the climb, "
    + `${pct / 100} of ${steps} steps, ends at step 0, where it begins. `
    + "Change total_steps or pct_start.";

  // In words: the chosen step, the whole curve, and what is unusual about it.
  function sentence(state, at) {
    const { steps, phases } = state;
    const found = curves(state);
    if (!found) return "There is no schedule to draw.";
    const { rate, momentum, effective } = found;
    const top = highest(rate);
    const [up, down] = parts(state);
    const odd = [];
    if (up.end < 0) {
      odd.push("The climb would end before step 0, so the run has none.");
    } else if (!Number.isInteger(up.end)) {
      odd.push(`The climb ends at ${short(up.end)}, between two steps.`);
    }
    if (phases === 3 && down.end >= steps - 1) {
      odd.push("Two parts of this length fill the run: its end never comes to the third.");
    }
    return `At step ${at} the rate is ${short(rate[at])}, the momentum ${short(momentum[at])}, and `
      + `rate / (1 − momentum) ${short(effective[at])}. The run starts at ${short(rate[0])}, `
      + `is highest at step ${top} and ends at ${short(rate.at(-1))}, `
      + `${short(rate.at(-1) / rate[0])} of the start.${odd.map((text) => ` ${text}`).join("")}`;
  }

  const PEAKS = [0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3];
  const PRESETS = {
    PyTorch: { pct: 30, div: 25, final: 10000, shape: "cos", phases: 2 },
    Smith: { pct: 30, div: 25, final: 10000, shape: "linear", phases: 3 },
    "matched to fastai": { pct: 25, div: 25, final: 4000, shape: "cos", phases: 2 },
  };
  return { parts, curves, highest, short, raised, call, problem, sentence, PEAKS, PRESETS };
})();

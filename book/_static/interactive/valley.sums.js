// What the figure `valley` computes: a ball in the valley y = λ/2 · w², moved by gradient steps.
// rate, the highest learning rate, is in hundredths; momentum is in tenths.
byhand.valley = (() => {
  "use strict";

  const { minus } = byhand;
  const range = (n) => Array.from({ length: n }, (_, i) => i);
  const START = 3;
  const STEPS = 40;

  // PyTorch's 1cycle with its defaults: a climb of 0.3, from 1/25 down to 1/250,000 of the highest.
  const CLIMB = 0.3 * STEPS - 1;
  const between = (start, end, share) =>
    end + ((start - end) / 2) * (1 + Math.cos(Math.PI * share));
  const cycle = (step) => (step <= CLIMB ? between(1 / 25, 1, step / CLIMB)
    : between(1, 1 / 250000, (step - CLIMB) / (STEPS - 1 - CLIMB)));

  // The rate of each step, and the places: the start, and one after each step.
  function walk({ rate, curvature, momentum, plan }) {
    const rates = range(STEPS).map((step) =>
      (rate / 100) * (plan === "1cycle" ? cycle(step) : 1));
    const places = [START];
    let velocity = 0;
    for (const now of rates) {
      const w = places.at(-1);
      velocity = (momentum / 10) * velocity + curvature * w;
      places.push(w - now * velocity);
    }
    return { rates, places };
  }

  // Rates: below `smooth` a ball without momentum stays on its side; above `stable` it leaves.
  const limits = ({ curvature, momentum }) => ({
    smooth: 1 / curvature, stable: (2 + (2 * momentum) / 10) / curvature,
  });

  // 0.0123, −4.5, 1.6 × 10⁴⁹: three digits.
  function short(value) {
    const size = Math.abs(value);
    if (!size || (size >= 0.001 && size < 10000)) return minus(Number(value.toPrecision(3)));
    const [digits, power] = value.toExponential(2).split("e");
    const raised = [...String(Number(power))].map((c) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(c)]);
    return `${minus(Number(digits))} × 10${raised.join("")}`;
  }

  const named = (state) => (state.momentum ? `2 · (1 + ${state.momentum / 10}) / λ = `
    : "2/λ = ") + short(limits(state).stable);

  // With a constant rate there is a law; all its numbers are whole, so equal means equal.
  function constant(state) {
    const { rate, curvature, momentum } = state;
    const { smooth } = limits(state);
    const size = rate * curvature;
    const limit = named(state);
    const most = 200 + 20 * momentum;
    if (size > most) return `It leaves: the rate is above ${limit}, and it lands farther out.`;
    if (size === most) return `It bounces for ever: the rate is exactly ${limit}.`;
    if (momentum) return `It swings and converges: the rate is below ${limit}.`;
    if (size > 100) {
      return `It bounces and converges: the rate is between 1/λ = ${short(smooth)} and ${limit}.`;
    }
    if (size === 100) {
      return `It converges in one step: the rate is exactly 1/λ = ${short(smooth)}.`;
    }
    return `It slides down one side and converges: the rate is below 1/λ = ${short(smooth)}.`;
  }

  // With a cycle the walk itself decides.
  function cycled(state) {
    const { rates, places } = walk(state);
    const { stable } = limits(state);
    const above = rates.filter((rate) => rate > stable * (1 + 1e-9)).length;
    const far = places.reduce((a, w) => Math.max(a, Math.abs(w)), 0);
    const end = Math.abs(places.at(-1));
    const turns = places.slice(1).filter((w, i) => w * places[i] < 0).length;
    const fast = above ? `${above} of ${STEPS} rates are above ${named(state)}` : "";
    if (end > START) {
      return `It leaves, as far as |w| = ${short(far)}${fast && `: ${fast}, too many`}.`;
    }
    const rest = end < START / 10 ? "converges" : "is still on its way when the rates run out";
    if (far > START) {
      return `It bounces as far out as |w| = ${short(far)}${fast && `, for ${fast}`}; the low end `
        + `brings it back, and it ${rest}.`;
    }
    return `It ${turns ? "bounces and " : ""}${rest}${turns ? "" : ", on one side"}`
      + `${fast && `, though ${fast}`}.`;
  }

  function sentence(state) {
    const { places } = walk(state);
    const { shown } = state;
    const now = shown < STEPS ? `After ${shown} ${shown === 1 ? "step" : "steps"} the ball is at `
      + `w = ${short(places[shown])}. ` : "";
    return `${now}${state.plan === "1cycle" ? cycled(state) : constant(state)} `
      + `After ${STEPS} steps it is at w = ${short(places.at(-1))}.`;
  }

  return { START, STEPS, walk, limits, short, sentence };
})();

/* The questions: compare what a reader chose with what the answer below it says. Nothing is kept
   or sent. Without this script the answers are in the <details>. */
(function () {
  "use strict";

  const text = (words) => [document.createTextNode(words)];

  /* What to say of an answer: [is it right, nodes]; is it right is null if there is none. */
  function judge(form, details) {
    if (form.dataset.number !== undefined) {
      const written = form.querySelector("input").value
        .replace(/[\u2212\u2013]/g, "-").replace(/(\d)[,\s](?=\d{3}\b)/g, "$1").trim();
      const given = Number(written);
      if (written === "" || Number.isNaN(given)) {
        return [null, text("Write a number, such as 12.")];
      }
      const wanted = Number(form.dataset.number);
      const right = Math.abs(given - wanted) <= 1e-9 * Math.max(1, Math.abs(wanted));
      return [right, text(right ? "Right." : "Not this number. Try again, or open the answer.")];
    }
    const chosen = form.querySelector("input:checked");
    if (!chosen) {
      return [null, text("Choose an answer first.")];
    }
    const verdict = details.querySelector(`[data-choice="${chosen.value}"]`);
    if (verdict.classList.contains("right")) {
      return [true, text("Right.")];
    }
    const why = verdict.querySelector(".why").cloneNode(true);
    return [false, [...text("Not this one. "), ...why.childNodes]];
  }

  for (const question of document.querySelectorAll(".quiz-question")) {
    const form = question.querySelector("form");
    const details = question.querySelector("details");
    if (!form) {
      continue;  // an open question
    }
    const check = form.querySelector(".check");
    const said = check.querySelector("output");
    check.hidden = false;
    check.querySelector("button").disabled = false;  // disabled, it kept the form from being sent
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const [right, nodes] = judge(form, details);
      said.replaceChildren(...nodes);
      form.dataset.state = right === null ? "none" : right ? "right" : "wrong";
      if (right) {
        details.open = true;
      }
    });
    form.addEventListener("input", () => {
      said.replaceChildren();
      form.dataset.state = "none";
    });
  }
})();

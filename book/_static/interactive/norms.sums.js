// What the figure `norms` computes: which numbers of the brick share a mean, and what follows.
// A choice is the axes averaged over, such as "NHW", and a number of groups that split C.
// All numbers are whole, so sums are exact, and means are one division away.
byhand.norms = (() => {
  "use strict";

  const AXES = "NCHW";
  const SHAPE = [2, 4, 3, 3]; // pictures, channels, rows, columns
  const GROUPS = [1, 2, 4];
  const EPS = 1e-5;
  // The brick of the chapter: a line is a picture, a word a channel of three rows of three.
  const BRICK = ["517531266 765793935 789577479 597795588",
                 "125000055 232005051 428287482 951240024"]
    .map((line) => line.split(" ").map((word) => [...word].map(Number)));

  const at = ([n, c, h, w]) => BRICK[n][c][3 * h + w];
  const places = () => {
    const found = [];
    for (let n = 0; n < 2; n += 1) for (let c = 0; c < 4; c += 1)
      for (let h = 0; h < 3; h += 1) for (let w = 0; w < 3; w += 1) found.push([n, c, h, w]);
    return found;
  };

  // How many means there are along each axis: all of them, or one, or one for each group.
  const shape = (axes, groups) => SHAPE.map((size, i) =>
    (!axes.includes(AXES[i]) ? size : AXES[i] === "C" ? groups : 1));

  // The place among the means of the mean that a place of the brick shares, and its number.
  const share = (place, axes, groups) => shape(axes, groups).map((kept, i) =>
    Math.floor(place[i] * kept / SHAPE[i]));
  const number = (place, axes, groups) => shape(axes, groups).reduce((sum, size, i) =>
    sum * size + share(place, axes, groups)[i], 0);

  // The means in torch's order: where, of how many, their total, mean and variance.
  function means(axes, groups) {
    const found = [];
    for (const place of places()) {
      const i = number(place, axes, groups);
      found[i] ||= { place: share(place, axes, groups), count: 0, total: 0, squares: 0 };
      found[i].count += 1;
      found[i].total += at(place);
      found[i].squares += at(place) ** 2;
    }
    return found.map(({ place, count, total, squares }) => ({
      place, count, total, mean: total / count,
      variance: (count * squares - total ** 2) / count ** 2,
    }));
  }

  // The number at a place after normalization, without γ and β.
  function normalized(place, axes, groups) {
    const { mean, variance } = means(axes, groups)[number(place, axes, groups)];
    return (at(place) - mean) / Math.sqrt(variance + EPS);
  }

  // Name and description of a choice; a small c stands for channels in more than one group.
  const NAMES = {
    NHW: ["Batch norm", "Each channel has one mean, and it runs through both pictures."],
    CHW: ["Layer norm over C, H, W", "Each picture has one mean. "
      + "Group norm with one group is the same."],
    C: ["Layer norm over C", "Each position of each picture has its own mean, over the channels."],
    HW: ["Instance norm", "Each channel of each picture has its own mean."],
    cHW: ["Group norm", "In each picture, each group of neighbouring channels has one mean."],
    NCHW: ["The whole batch", "One mean for all numbers. No usual norm does this."],
    N: ["No usual name", "BatchNorm1d averages like this if the maps are flattened first."],
    "": ["Nothing averaged", "Each number is its own mean, so each output is 0."],
  };
  function name(axes, groups) {
    const channels = !axes.includes("C") || groups === SHAPE[1] ? "" : groups === 1 ? "C" : "c";
    const [title, text] = NAMES[axes.replace("C", channels)]
      || ["No usual name", "You have invented a norm that the chapter does not have."];
    const split = title === "Group norm" ? ` with ${groups} groups` : "";
    const all = title === "Instance norm" && axes.includes("C");
    return { title: title + split, text: all ? `${text} Group norm with four groups is the same.`
      : text };
  }

  const PRESETS = {
    "batch norm": ["NHW", 1], "layer norm": ["CHW", 1], "layer norm over C": ["C", 1],
    "instance norm": ["HW", 1], "group norm": ["CHW", 2], "whole batch": ["NCHW", 1],
  };

  return { AXES, SHAPE, GROUPS, EPS, PRESETS, at, places, shape, share, number, means, normalized,
           name };
})();

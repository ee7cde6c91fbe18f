'use strict';
// Samples taken in turn, since other work on the machine slows neighbours in time alike.

function quantile(samples, q) {
  const sorted = Float64Array.from(samples).sort();
  const at = (sorted.length - 1) * q;
  const below = Math.floor(at);
  const above = Math.ceil(at);
  return sorted[below] + (sorted[above] - sorted[below]) * (at - below);
}

const median = (samples) => quantile(samples, 0.5);

/** The median of a[i] / b[i], or of what else `compare` makes of each pair. */
function paired(a, b, compare = (x, y) => x / y) {
  return median(a.map((value, i) => compare(value, b[i])));
}

/**
 * Takes `rounds` samples of each variant, in turns and every other round in reverse, after one of
 * each that does not count. Resolves with the samples by the variants' names.
 */
async function interleave(rounds, variants) {
  const samples = Object.fromEntries(Object.keys(variants).map((name) => [name, []]));
  const order = Object.entries(variants);
  for (let round = -1; round < rounds; round += 1) {
    for (const [name, sample] of order) {
      const value = await sample();
      if (round >= 0) samples[name].push(value);
    }
    order.reverse();
  }
  return samples;
}

module.exports = { interleave, median, paired, quantile };

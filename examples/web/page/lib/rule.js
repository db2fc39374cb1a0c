/**
 * The rule by which probabilities become an answer: a label, a node above some labels, or none.
 * The twin of sknote/confidence/_answers.py, for one note.
 */
export const UNKNOWN = "unknown";
export const LEAF = "label";

/** @param about what stands in the JSON file beside a model */
export function makeRule({ classes, confidence }) {
  const leaves = { name: LEAF, nodes: classes, node_of: classes.map((_, i) => i) };
  if (!confidence) return (proba) => answer([leaves], -Infinity, proba, "");
  const levels = [leaves, ...confidence.levels];
  const threshold = confidence.threshold ?? Infinity;
  return (proba, scores = [], isSilent = false) =>
    answer(levels, threshold, proba, refusal(confidence.limits, scores, isSilent));
}

/** Why a note gets no answer, "" if nothing is against one. */
function refusal(limits, scores, isSilent) {
  if (isSilent) return "no sound";
  const found = limits.find(([, limit], i) => scores[i] > (limit ?? Infinity));
  return found ? found[0] : "";
}

function answer(levels, threshold, proba, refused) {
  for (const { name, nodes, node_of: nodeOf } of refused ? [] : levels) {
    const masses = nodes.map(() => 0);
    const sizes = nodes.map(() => 0);
    proba.forEach((value, i) => {
      masses[nodeOf[i]] += value;
      sizes[nodeOf[i]] += 1;
    });
    const best = largest(masses);
    const isNode = name === LEAF || sizes[best] > 1; // a node of one class is none
    if (!isNode || masses[best] < threshold) continue;
    const others = masses.map((mass, i) => (i === best ? -1 : mass));
    const runnerUp = nodes.length > 1 ? nodes[largest(others)] : null;
    const reason = name === LEAF ? "sure" : `sure of no more than the ${name}`;
    return { answer: nodes[best], level: name, confidence: masses[best], runnerUp, reason };
  }
  const best = largest(proba);
  return {
    answer: UNKNOWN,
    level: UNKNOWN,
    confidence: proba[best],
    runnerUp: levels[0].nodes[best],
    reason: refused || "not sure at any level",
  };
}

function largest(values) {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i] > values[best]) best = i;
  return best;
}

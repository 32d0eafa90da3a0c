// Emissions become tags (Viterbi), tags spans, and spans have probabilities (forward-backward).

const [CLOSES, OPENS] = [1, 2]; // what happens between two tags: a span ends before the second, one begins with it

export class Decoder {
  /** @param description The `decoding` of a model's description. */
  constructor(description) {
    Object.assign(this, description); // tags, labels, label_numbers, events, start, transitions, end, temperature
  }

  /**
   * The spans of the best path through the emissions of a sentence, or of a piece of one.
   *
   * @param emissions The scores of the tags of each token.
   * @returns For each span the numbers of its first token and of the one behind its last, its label and probability.
   */
  spans(emissions) {
    const path = this.bestPath(emissions);
    const probability = this.probabilities(emissions);
    const spans = [];
    for (let token = 0, start = 0; token <= path.length; token++) {
      const event = this.events[path[token - 1] ?? 0][path[token] ?? 0];
      if (event & CLOSES) {
        const label = this.label_numbers[path[start]];
        spans.push({ first: start, end: token, label: this.labels[label], score: probability(start, token, label) });
      }
      if (event & OPENS) start = token;
    }
    return spans;
  }

  bestPath(emissions) {
    const { start, transitions, end } = this;
    let best = emissions[0].map((score, tag) => start[tag] + score);
    const back = [];
    for (const scores of emissions.slice(1)) {
      const from = scores.map((_, tag) => largest(best.map((score, before) => score + transitions[before][tag])));
      best = scores.map((score, tag) => best[from[tag]] + transitions[from[tag]][tag] + score);
      back.push(from);
    }
    const path = [largest(best.map((score, tag) => score + end[tag]))];
    for (const from of back.reverse()) path.unshift(from[path[0]]);
    return path;
  }

  /** A function of a span's first token, the one behind its last, and its label number. */
  probabilities(emissions) {
    // 1. Everything at the temperature of the model.
    const scaled = (scores) => scores.map((score) => score / this.temperature);
    const [start, end, transitions] = [scaled(this.start), scaled(this.end), this.transitions.map(scaled)];
    const scores = emissions.map(scaled);
    const tags = this.tags.map((_, tag) => tag);
    const last = scores.length - 1;
    // 2. The sums over all paths up to each token, and from each token on.
    const step = (before, token, allowed) => tags.map((tag) => scores[token][tag] + logSum(
      tags.filter((from) => allowed(from, tag)).map((from) => before[from] + transitions[from][tag])));
    const before = [tags.map((tag) => start[tag] + scores[0][tag])];
    for (let token = 1; token <= last; token++) before.push(step(before[token - 1], token, () => true));
    const behind = [end];
    for (let token = last; token > 0; token--) {
      const next = behind[0];
      behind.unshift(tags.map((from) => logSum(tags.map((tag) => transitions[from][tag] + scores[token][tag] + next[tag]))));
    }
    const total = logSum(tags.map((tag) => before[last][tag] + end[tag]));
    // 3. The share of those that read back with this span.
    return (first, stop, label) => {
      const isOf = (tag) => this.label_numbers[tag] === label;
      const opens = (from, tag) => isOf(tag) && this.events[from][tag] & OPENS;
      const goesOn = (from, tag) => isOf(from) && isOf(tag) && !(this.events[from][tag] & CLOSES);
      const closes = (from, tag) => this.events[from][tag] & CLOSES;
      let inside = first ? step(before[first - 1], first, opens)
        : before[0].map((score, tag) => (opens(0, tag) ? score : -Infinity));
      for (let token = first + 1; token < stop; token++) inside = step(inside, token, goesOn);
      const outside = stop > last
        ? tags.map((tag) => (closes(tag, 0) ? inside[tag] + end[tag] : -Infinity))
        : step(inside, stop, closes).map((score, tag) => score + behind[stop][tag]);
      return Math.min(Math.exp(logSum(outside) - total), 1);
    };
  }
}

function largest(values) {
  return values.indexOf(Math.max(...values));
}

function logSum(values) {
  const most = Math.max(...values);
  return most === -Infinity ? most : most + Math.log(values.reduce((sum, value) => sum + Math.exp(value - most), 0));
}

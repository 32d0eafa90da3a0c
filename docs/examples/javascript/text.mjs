// A text becomes sentences of tokens, by the rules in the description of a model.

const SPACE = /[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/u;
const LINES = /[^\n\v\f\r\x1c-\x1e\x85\u2028\u2029]*(?:\r\n|[\n\v\f\r\x1c-\x1e\x85\u2028\u2029])|[^\n\v\f\r\x1c-\x1e\x85\u2028\u2029]+$/gu;
const REACH = 12; // characters before a full stop that decide what it is

export class Splitter {
  /** @param description The `text` of a model's description. */
  constructor(description) {
    this.unit = description.token_unit;
    this.rules = {};
    for (const [name, pattern] of Object.entries(description.patterns.ecmascript)) {
      this.rules[name] = new RegExp(pattern, name === "next_word" ? "uy" : "gu"); // that one is tried at one place
    }
    this.words = {};
    for (const [name, words] of Object.entries(description.words)) this.words[name] = new Set(words);
  }

  /**
   * The sentences of a text: each has `tokens`, with `text` and `start`, and `barriers`, pairs of the numbers of tokens
   * that no entity holds, from the first to the last (exclusive). An empty one is a place that no entity goes over.
   */
  sentences(text) {
    const tokens = this.tokens(text);
    const starts = tokens.map((token) => token.start);
    const edges = new Set([0, tokens.length, ...this.borders(text).map((border) => atLeast(starts, border))]);
    const sorted = [...edges].sort((one, other) => one - other);
    const barriers = this.barriers(text, tokens, starts);
    return sorted.slice(1).map((end, number) => {
      const begin = sorted[number];
      const inside = barriers.filter(([first, final]) => begin < final && first < end);
      return {
        tokens: tokens.slice(begin, end),
        barriers: inside.map(([first, final]) => [Math.max(first, begin) - begin, Math.min(final, end) - begin]),
      };
    });
  }

  tokens(text) {
    if (this.unit === "word") {
      return [...text.matchAll(this.rules.token)].map((match) => ({ text: match[0], start: match.index }));
    }
    const tokens = [];
    let start = 0;
    for (const character of text) {
      if (!SPACE.test(character)) tokens.push({ text: character, start });
      start += character.length;
    }
    return tokens;
  }

  /** The offsets at which a sentence may begin or end. */
  borders(text) {
    const ends = (rule) => [...text.matchAll(rule)].map((match) => match.index + match[0].length);
    const stops = [...text.matchAll(this.rules.stop)].filter((match) => this.endsSentence(text, match));
    const borders = stops.map((match) => match.index + match[0].length);
    borders.push(...ends(this.rules.column_end), ...lineStarts(text));
    if (this.isChinese(text)) {
      for (const match of text.matchAll(this.rules.foreign_words)) {
        borders.push(match.index, match.index + match[0].length);
      }
    }
    return borders;
  }

  endsSentence(text, match) {
    const { stop, closers } = match.groups;
    if (stop === undefined) return true; // 。 and the like
    this.rules.next_word.lastIndex = match.index + match[0].length;
    const next = this.rules.next_word.exec(text)?.groups.word ?? "";
    if (next && ".,;".includes(next)) return false;
    if (stop === "." && !closers) return !this.isAbbreviated(text, match.index, next);
    return !isLower([...next][0] ?? "") || (/[!?]$/.test(stop) && !closers);
  }

  /** True if the full stop at an offset belongs only to the word before it. */
  isAbbreviated(text, stop, next) {
    const first = [...next][0] ?? "";
    const before = text.slice(Math.max(0, stop - REACH), stop);
    this.rules.last_word.lastIndex = 0;
    const word = (this.rules.last_word.exec(before)?.[0] ?? "").replace(/^['‘’]+/u, "");
    const { before_names, before_numbers, abbreviations, sentence_openers, after_ordinals } = this.words;
    if (before_names.has(word) || (before_numbers.has(word) && /^\p{Nd}/u.test(first))) return true;
    if (/^\p{Nd}+$/u.test(word)) {
      const line = text.slice(text.lastIndexOf("\n", stop - 1) + 1, stop);
      const listed = line.length <= REACH && /^[ \t]{0,8}\p{Nd}{1,3}$/u.test(line);
      return isLower(first) || after_ordinals.has(next) || listed;
    }
    const initial = /^\p{L}$/u.test(word) && word !== "I";
    const dotted = /^(?:\p{L}{1,3}\.)+\p{L}{1,3}$/u.test(word);
    if (initial || dotted || abbreviations.has(word)) return !sentence_openers.has(next);
    return isLower(first) && [...word].length < 5;
  }

  barriers(text, tokens, starts) {
    const chinese = this.isChinese(text);
    const rules = chinese ? [this.rules.chinese_barrier, this.rules.foreign_words] : [this.rules.barrier];
    const found = rules.flatMap((rule) => [...text.matchAll(rule)]).map((match) => {
      return [atLeast(starts, match.index), atLeast(starts, match.index + match[0].length)];
    });
    for (const match of text.matchAll(this.rules.address)) { // it begins an entity, or is none of one
      const token = Math.max(atLeast(starts, match.index + 1) - 1, 0);
      found.push([token, token]);
      if (token < tokens.length && !"#@".includes(tokens[token].text[0])) found.push([token + 1, token + 1]);
    }
    return found;
  }

  isChinese(text) {
    return this.unit === "character" && text.search(this.rules.han) >= 0;
  }
}

/** The offsets of the lines that begin a sentence: those that do not go on with what was broken to fit a width. */
function lineStarts(text) {
  const lines = text.match(LINES) ?? [];
  const isBlank = (line) => line.trim() === "";
  const starts = [];
  for (let number = 0, start = 0; number < lines.length; ) {
    let last = number + 1;
    while (last < lines.length && isBlank(lines[last]) === isBlank(lines[number])) last++;
    const paragraph = lines.slice(number, last);
    const longest = Math.max(...paragraph.map((line) => [...line.trimEnd()].length));
    const width = longest >= 50 && longest <= 120 ? longest : text.length;
    paragraph.forEach((line, position) => {
      if (!position || (!isBlank(line) && !isWrapped(paragraph[position - 1].trimEnd(), line.trim(), width))) {
        starts.push(start);
      }
      start += line.length;
    });
    number = last;
  }
  return starts;
}

function isWrapped(line, next, width) {
  const firstWord = next.split(/\s+/u)[0];
  return isLower([...next][0]) || [...line].length + 1 + [...firstWord].length > width;
}

export function isLower(text) {
  return /\p{Lowercase}/u.test(text) && !/[\p{Uppercase}\p{Lt}]/u.test(text);
}

export function isUpper(text) {
  return /\p{Uppercase}/u.test(text) && !/[\p{Lowercase}\p{Lt}]/u.test(text);
}

/** The number of values, which rise, that are less than a bound. */
function atLeast(values, bound) {
  let [low, high] = [0, values.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] < bound) low = middle + 1;
    else high = middle;
  }
  return low;
}

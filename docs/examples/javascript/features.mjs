// Tokens become the inputs of the network: ids of words, casing, characters, pairs of characters, words of a lexicon.

import { isLower, isUpper } from "./text.mjs";

const [PADDING, UNKNOWN, FIRST] = [0, 1, 2]; // the ids that stand for no symbol, and that of the first one
const LETTER = /\p{L}/u;
const DIGIT = /[\p{Nd}²³¹⁰⁴-⁹₀-₉①-⑨⑴-⑼⒈-⒐]/u;

export class Features {
  /** @param description The `features` of a model's description, by the names of the inputs. */
  constructor(description) {
    this.makers = {};
    for (const [name, feature] of Object.entries(description)) this.makers[name] = MAKERS[name](feature);
  }

  /**
   * The inputs of the network for sentences of tokens: for each its values and dimensions.
   *
   * @param sentences The words of each sentence, of one or more.
   */
  inputs(sentences) {
    const most = Math.max(...sentences.map((words) => words.length));
    const inputs = { lengths: { values: sentences.map((words) => words.length), dims: [sentences.length] } };
    for (const [name, ids] of Object.entries(this.makers)) {
      const rows = sentences.map((words) => ids(words)); // of each token a number, or some
      const flat = typeof rows[0][0] === "number";
      const size = flat ? 1 : Math.max(...rows.flat().map((row) => row.length));
      const values = new Array(sentences.length * most * size).fill(PADDING);
      rows.forEach((row, sentence) => row.forEach((own, token) => {
        const start = (sentence * most + token) * size;
        (flat ? [own] : own).forEach((id, position) => (values[start + position] = id));
      }));
      inputs[name] = { values, dims: [sentences.length, most, ...(flat ? [] : [size])] };
    }
    return inputs;
  }
}

/** For each feature, given its description, a function from the words of a sentence to the ids of each of them. */
const MAKERS = {
  word({ symbols }) {
    const ids = vocabulary(symbols);
    const digits = (word) => word.replace(/\p{Nd}/gu, "0");
    return (words) => words.map((word) => {
      const lower = word.toLowerCase();
      const known = [word, lower, digits(word), digits(lower)].find((spelling) => ids.has(spelling));
      return known === undefined ? UNKNOWN : ids.get(known);
    });
  },

  casing({ classes }) {
    return (words) => words.map((word) => classes.indexOf(casing(word)));
  },

  characters({ symbols }) {
    const ids = vocabulary(symbols);
    return (words) => words.map((word) => [...word].map((character) => ids.get(character) ?? UNKNOWN));
  },

  bigrams({ symbols }) {
    const ids = vocabulary(symbols);
    return (words) => {
      const characters = ["\0", ...words.map((word) => [...word][0]), "\0"];
      const pair = (position) => ids.get(characters[position] + characters[position + 1]) ?? UNKNOWN;
      return words.map((_, position) => [pair(position), pair(position + 1)]);
    };
  },

  lexicon({ words: known, rows, longest, traditional, simplified }) {
    const simple = new Map([...traditional].map((character, number) => [character, [...simplified][number]]));
    const form = (word) => [...word].map((character) => simple.get(character) ?? character).join("");
    const rowOf = new Map();
    known.forEach((word, number) => rowOf.has(form(word)) || rowOf.set(form(word), rows[number]));
    return (words) => {
      const found = words.map(() => [0, 0, 0]); // the words that begin here, go on over this token, end here
      const forms = words.map(form);
      for (let size = 2; size <= Math.min(longest, words.length); size++) { // a longer word takes the place
        const matches = [];
        for (let start = 0; start + size <= words.length; start++) {
          const row = rowOf.get(forms.slice(start, start + size).join(""));
          if (row !== undefined) matches.push([start, row]);
        }
        for (const [start, row] of matches) {
          found[start][0] = row;
          found[start + size - 1][2] = row;
          for (let inner = start + 1; inner < start + size - 1; inner++) found[inner][1] = row;
        }
      }
      return found;
    };
  },
};

function vocabulary(symbols) {
  return new Map(symbols.map((symbol, number) => [symbol, number + FIRST]));
}

/** The casing class of a word. */
function casing(word) {
  const characters = [...word];
  const digits = characters.filter((character) => DIGIT.test(character)).length;
  const letters = characters.filter((character) => LETTER.test(character)).length;
  if (digits) {
    if (characters.every((character) => DIGIT.test(character) || ".,:;/%+-−–'’".includes(character))) return "numeric";
    return 2 * digits > characters.length ? "mostly numeric" : "contains digit";
  }
  if (!(isLower(word) || isUpper(word) || word.toLowerCase() !== word)) {
    if (letters) return HAN.test(word) ? "han" : "caseless";
    return word && characters.every((character) => /\p{P}/u.test(character)) ? "punctuation" : "other";
  }
  if (isLower(word)) return "lower";
  if (isUpper(word)) return letters === 1 ? "capital" : "upper";
  const first = characters.findIndex((character) => LETTER.test(character));
  const rest = characters.slice(first + 1).join("");
  return first >= 0 && isUpper(characters[first]) && rest === rest.toLowerCase() ? "initial upper" : "mixed";
}

const HAN = /[⺀-⿟々-〇〡-〩〱-〵〻㐀-䶿一-鿿豈-﫿\u{20000}-\u{3ffff}]/u;

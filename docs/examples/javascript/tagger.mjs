// Text in, entities out, with a model that `ner-lstm-crf export` wrote.

import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import ort from "onnxruntime-node";
import { Decoder } from "./crf.mjs";
import { Features } from "./features.mjs";
import { Splitter } from "./text.mjs";

export class Tagger {
  constructor(session, description) {
    this.session = session;
    this.splitter = new Splitter(description.text);
    this.features = new Features(description.features);
    this.decoder = new Decoder(description.decoding);
  }

  /** @param path The path of the model, MODEL.onnx; MODEL.json is beside it. */
  static async load(path) {
    const description = JSON.parse(await readFile(path.replace(/\.onnx$/, ".json"), "utf8"));
    const graph = await readFile(path);
    if (createHash("sha256").update(graph).digest("hex") !== description.sha256) {
      throw new Error(`${path}: the graph and its description do not belong together`);
    }
    return new Tagger(await ort.InferenceSession.create(graph), description);
  }

  /** The entities of a text, in order: `text.slice(start, end)` has the `label` with the probability `score`. */
  async tag(text) {
    const sentences = this.splitter.sentences(text).filter(({ tokens }) => tokens.length);
    if (!sentences.length) return [];
    const words = sentences.map(({ tokens }) => tokens.map((token) => token.text));
    // 1. The network: ids to emissions, all sentences at once.
    const feeds = {};
    for (const [name, { values, dims }] of Object.entries(this.features.inputs(words))) {
      feeds[name] = new ort.Tensor("int32", Int32Array.from(values), dims);
    }
    const { emissions } = await this.session.run(feeds);
    const [, most, size] = emissions.dims;
    // 2. Each sentence, piece by piece between its barriers.
    return sentences.flatMap(({ tokens, barriers }, sentence) => {
      const scores = tokens.map((_, token) => {
        const start = (sentence * most + token) * size;
        return Array.from(emissions.data.subarray(start, start + size));
      });
      return pieces(tokens.length, barriers).flatMap(([first, end]) => {
        return this.decoder.spans(scores.slice(first, end)).map((span) => {
          const last = tokens[first + span.end - 1];
          const [start, stop] = [tokens[first + span.first].start, last.start + last.text.length];
          return { start, end: stop, label: span.label, text: text.slice(start, stop), score: span.score };
        });
      });
    });
  }
}

/** The parts of a sentence that no barrier holds or divides, as pairs of the numbers of tokens. */
function pieces(length, barriers) {
  const edges = [...new Set([0, length, ...barriers.flat()])].sort((one, other) => one - other);
  const found = edges.slice(1).map((end, number) => [edges[number], end]);
  return found.filter(([first, end]) => !barriers.some((held) => held[0] <= first && end <= held[1] && held[0] < held[1]));
}

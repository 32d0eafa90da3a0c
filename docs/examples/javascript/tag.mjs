// node tag.mjs MODEL.onnx < texts.txt: the entities of each line, as a line of JSON.

import { createInterface } from "node:readline";
import { Tagger } from "./tagger.mjs";

const tagger = await Tagger.load(process.argv[2]);
for await (const text of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  console.log(JSON.stringify({ text, entities: await tagger.tag(text) }));
}

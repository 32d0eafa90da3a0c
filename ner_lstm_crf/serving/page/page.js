"use strict";
// The page: a text is tagged as it is typed; entities are chosen, corrected, explained and saved.
// Offsets of the service count code points, those of JavaScript's strings UTF-16 units: a text is kept as an array of
// its characters, which counts as the service does.

const EXAMPLES = {
  english:
    "Angela Merkel met Emmanuel Macron in Paris on Monday. Siemens and the University of Oxford signed an agreement " +
    "with the Bank of England, said Jordan Smith of Washington.",
  chinese: "昨天王小明在北京大学会见了来自上海的李华，随后前往东京参加丰田公司的会议。",
};
const PAUSE = 120; // milliseconds after the last key
const LEAST_TIME = 1000; // milliseconds before a busy service is asked again

const element = (id) => document.getElementById(id);
const state = {
  characters: [], // of the text
  entities: [], // that were found, of any probability
  known: { spans: [], rejected: [] }, // corrections, for the service
  models: [],
  model: "", // that found the entities
  chosen: null, // the entity that is shown by itself
  running: null, // the request whose answer is awaited
  timer: 0,
};

/** The answer of the service as JSON; an Error with its reason if it refuses. */
async function ask(path, body, signal) {
  const answer = await fetch(path, {
    method: body ? "POST" : "GET",
    headers: body ? { "Content-Type": "application/json" } : {},
    body: body && JSON.stringify(body),
    signal,
  });
  const content = await answer.json();
  if (answer.ok) return content;
  const detail = content.detail;
  const error = new Error(typeof detail === "string" ? detail : detail.map((one) => one.msg).join("; "));
  if (answer.status === 503) error.wait = Math.max(LEAST_TIME, 1000 * Number(answer.headers.get("Retry-After")));
  throw error;
}

const covered = (place) => state.characters.slice(place.start, place.end).join("");
const percent = (probability) => `${(100 * probability).toFixed(probability < 0.9995 ? 1 : 0)}%`;
const labelsOf = (name) => (state.models.find((one) => one.name === name) || state.models[0]).labels;
const isAt = (place) => (other) => other.start === place.start && other.end === place.end;
const overlaps = (place) => (other) => other.start < place.end && place.start < other.end;

function say(message, isProblem = false) {
  element("status").textContent = message;
  element("status").classList.toggle("problem", isProblem);
}

/** A request for the text as it stands. */
function request() {
  const body = { text: state.characters.join("") };
  if (element("model").value) body.model = element("model").value;
  if (state.known.spans.length || state.known.rejected.length) body.known = state.known;
  return body;
}

/** Tag the text; an answer to an older text is not waited for. */
async function tag() {
  clearTimeout(state.timer);
  if (state.running) state.running.abort();
  const running = (state.running = new AbortController());
  try {
    const answer = await ask("tag", request(), running.signal);
    [{ entities: state.entities, model: state.model }] = answer.results;
    show();
  } catch (error) {
    if (error.name === "AbortError") return;
    if (error.wait) {
      say("The service is busy; it is asked again.", true);
      state.timer = setTimeout(tag, error.wait);
      return;
    }
    const last = state.undo && state.undo();
    say(last ? `Not possible: ${error.message}` : error.message, true);
  } finally {
    if (state.running === running) state.running = null;
  }
}

/** Another text: what was known of the old one is forgotten. */
function changed() {
  state.characters = Array.from(element("text").value);
  state.known = { spans: [], rejected: [] };
  state.undo = null;
  closeEntity();
  element("explanation").hidden = true;
  clearTimeout(state.timer);
  state.timer = setTimeout(tag, PAUSE);
}

const visible = () => state.entities.filter((one) => one.score >= Number(element("least").value));

/** The text with its entities, and all that depends on them. */
function show() {
  const marked = element("marked");
  const shown = visible();
  const focused = document.activeElement?.dataset?.place;
  const parts = [];
  let end = 0;
  for (const entity of shown) {
    parts.push(state.characters.slice(end, entity.start).join(""), mark(entity));
    end = entity.end;
  }
  parts.push(state.characters.slice(end).join(""));
  marked.replaceChildren(...parts.filter((one) => one !== ""));
  if (focused) {
    const again = marked.querySelector(`[data-place="${focused}"]`);
    if (again) again.focus();
  }
  const hidden = state.entities.length - shown.length;
  const count = `${shown.length} ${shown.length === 1 ? "entity" : "entities"}`;
  say(state.characters.length ? `${count}${hidden ? `, ${hidden} below the least probability` : ""} (model ${state.model})` : "");
  for (const id of ["why", "jsonl", "conll"]) element(id).disabled = !state.characters.length;
  showKnown();
  if (state.chosen) {
    const again = state.entities.find(isAt(state.chosen));
    if (again) openEntity(again, false);
    else closeEntity();
  }
}

/** An entity in the text, which a mouse or a key chooses. */
function mark(entity) {
  const one = document.createElement("mark");
  const label = document.createElement("b");
  label.textContent = `${entity.label} ${percent(entity.score)}`;
  label.dir = "ltr";
  one.className = `c${labelsOf(state.model).indexOf(entity.label) % 8}`;
  one.classList.toggle("known", state.known.spans.some(isAt(entity)));
  one.append(covered(entity), "\u00a0", label);
  one.tabIndex = 0;
  one.setAttribute("role", "button");
  one.setAttribute("aria-pressed", String(Boolean(state.chosen) && isAt(state.chosen)(entity)));
  one.dataset.place = `${entity.start}-${entity.end}`;
  one.addEventListener("click", () => openEntity(entity));
  one.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    openEntity(entity);
  });
  return one;
}

// One entity, and corrections

/** Show an entity, or a part of the text that shall become one, with what can be done about it. */
async function openEntity(entity, focus = true) {
  state.chosen = entity;
  const panel = element("entity");
  element("entity-title").textContent = covered(entity);
  element("entity-score").textContent = entity.label
    ? `${entity.label} with a probability of ${percent(entity.score)}: that of all sequences of tags that say exactly this.`
    : "No entity so far.";
  const buttons = labelsOf(state.model).map((label) => {
    const isIt = label === entity.label;
    return button(isIt ? `${label} is right` : `It is ${label}`, () => correct({ ...place(entity), label }));
  });
  if (entity.label) buttons.push(button("No entity", () => reject(entity)));
  element("entity-labels").replaceChildren(...buttons);
  element("entity-instead").replaceChildren();
  panel.hidden = false;
  for (const one of element("marked").querySelectorAll("mark"))
    one.setAttribute("aria-pressed", String(one.dataset.place === `${entity.start}-${entity.end}`));
  if (focus) panel.focus();
  if (!entity.label) return;
  try {
    const explained = (await ask("explain", request())).sentences.flatMap((one) => one.entities).find(isAt(entity));
    if (state.chosen !== entity || !explained) return;
    const title = document.createElement(explained.alternatives.length ? "h3" : "p");
    title.textContent = explained.alternatives.length ? "Or else" : "Nothing else is probable here.";
    const list = document.createElement("ul");
    for (const other of explained.alternatives) {
      const item = document.createElement("li");
      item.append(`${other.text} ${other.label} ${percent(other.probability)} `, button("Choose", () => correct(other)));
      list.append(item);
    }
    element("entity-instead").replaceChildren(title, list);
  } catch (error) {
    element("entity-instead").textContent = error.message;
  }
}

function closeEntity() {
  state.chosen = null;
  element("entity").hidden = true;
  for (const one of element("marked").querySelectorAll("mark")) one.setAttribute("aria-pressed", "false");
}

function button(text, act) {
  const one = document.createElement("button");
  one.type = "button";
  one.textContent = text;
  one.addEventListener("click", act);
  return one;
}

const place = ({ start, end }) => ({ start, end });

/** Change what is known, and tag again: the other entities adapt. What the service refuses is undone. */
function learn(change) {
  const before = structuredClone(state.known);
  state.undo = () => {
    state.known = before;
    state.undo = null;
    showKnown();
    return true;
  };
  change(state.known);
  element("explanation").hidden = true;
  tag().then(() => {
    state.undo = null;
  });
}

function correct({ start, end, label }) {
  const span = { start, end, label };
  state.chosen = span;
  learn((known) => {
    known.spans = [...known.spans.filter((one) => !overlaps(span)(one)), span];
    known.rejected = known.rejected.filter((one) => !(isAt(span)(one) && one.label === label));
  });
}

function reject({ start, end, label }) {
  learn((known) => {
    known.spans = known.spans.filter((one) => !isAt({ start, end })(one));
    known.rejected = [...known.rejected, { start, end, label }];
  });
}

/** The list of corrections. */
function showKnown() {
  const rows = [];
  for (const kind of ["spans", "rejected"])
    for (const one of state.known[kind]) {
      const row = document.createElement("li");
      row.append(`${covered(one)}: ${kind === "spans" ? one.label : `not ${one.label}`}`);
      row.append(button("Undo", () => learn((known) => (known[kind] = known[kind].filter((other) => other !== one)))));
      rows.push(row);
    }
  element("known").replaceChildren(...rows);
  element("corrections").hidden = !rows.length;
}

/** The part of the text that is selected with the mouse or the keyboard becomes an entity, if a label is chosen. */
function selected() {
  const selection = getSelection();
  const marked = element("marked");
  if (!selection.rangeCount || selection.isCollapsed) return;
  const range = selection.getRangeAt(0);
  if (!marked.contains(range.startContainer) || !marked.contains(range.endContainer)) return;
  let [start, end] = [offset(range.startContainer, range.startOffset), offset(range.endContainer, range.endOffset)];
  while (start < end && /\s/u.test(state.characters[start])) start += 1;
  while (start < end && /\s/u.test(state.characters[end - 1])) end -= 1;
  if (start < end) openEntity({ start, end, ...state.entities.find(isAt({ start, end })) }, false);
}

/** The characters of the text before a place in the marked text, in which labels stand as well. */
function offset(node, at) {
  const before = document.createRange();
  before.setStart(element("marked"), 0);
  before.setEnd(node, at);
  const copy = before.cloneContents();
  for (const one of copy.querySelectorAll("mark")) {
    const label = one.querySelector("b");
    if (label) label.remove();
    const last = one.lastChild;
    if (last && last.nodeType === Node.TEXT_NODE && last.data === "\u00a0") last.remove();
  }
  return Array.from(copy.textContent).length;
}

// The explanation

async function explain() {
  const panel = element("explanation");
  try {
    const { html } = await ask("explain", request());
    panel.replaceChildren(document.createRange().createContextualFragment(html)); // escaped by the service
    panel.hidden = false;
    panel.focus();
    panel.scrollIntoView();
  } catch (error) {
    say(error.message, true);
  }
}

// Files

function save(name, content) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type: "text/plain;charset=utf-8" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

function saveJsonLines() {
  save("entities.jsonl", `${JSON.stringify({ text: state.characters.join(""), entities: visible() })}\n`);
}

/** Tokens and tags (BIO) in columns, a blank line behind each sentence. */
async function saveConll() {
  try {
    const text = state.characters.join("");
    const entities = visible();
    const { sentences } = await ask("split", { text, model: state.model });
    const lines = [];
    for (const tokens of sentences) {
      for (const token of tokens) {
        const entity = entities.find(overlaps(token));
        const tag = entity ? `${entity.start >= token.start ? "B" : "I"}-${entity.label}` : "O";
        lines.push(`${covered(token)}\t${tag}`);
      }
      lines.push("");
    }
    save("entities.conll", `${lines.join("\n")}\n`);
  } catch (error) {
    say(error.message, true);
  }
}

async function open(file) {
  if (!file) return;
  element("text").value = await file.text();
  changed();
}

// The beginning

function example(name) {
  element("text").value = EXAMPLES[name];
  changed();
  element("text").focus();
}

async function begin() {
  element("text").addEventListener("input", changed);
  element("english").addEventListener("click", () => example("english"));
  element("chinese").addEventListener("click", () => example("chinese"));
  element("file").addEventListener("change", (event) => open(event.target.files[0]));
  element("model").addEventListener("change", changed);
  element("least").addEventListener("input", () => {
    element("least-shown").textContent = `${Math.round(100 * element("least").value)}%`;
    show();
  });
  element("why").addEventListener("click", explain);
  element("jsonl").addEventListener("click", saveJsonLines);
  element("conll").addEventListener("click", saveConll);
  element("close").addEventListener("click", () => {
    const chosen = state.chosen;
    closeEntity();
    const one = chosen && element("marked").querySelector(`[data-place="${chosen.start}-${chosen.end}"]`);
    (one || element("text")).focus();
  });
  element("marked").addEventListener("mouseup", selected);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !element("entity").hidden) element("close").click();
  });
  for (const kind of ["dragover", "dragleave", "drop"])
    document.addEventListener(kind, (event) => {
      event.preventDefault();
      document.body.classList.toggle("dropping", kind === "dragover");
      if (kind === "drop") open(event.dataTransfer.files[0]);
    });
  const { models, by_script } = await ask("models");
  state.models = models;
  const choices = models.map(({ name }) => new Option(name, name));
  element("model").replaceChildren(...(by_script ? [new Option("by the script of the text", "")] : []), ...choices);
  if (element("text").value) changed();
}

begin().catch((error) => say(error.message, true));

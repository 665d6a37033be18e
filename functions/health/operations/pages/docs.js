// Shows the OpenAPI document: operations by tag, their parameters, bodies and answers. Everything is a text node.
"use strict";

const METHODS = ["get", "post", "patch", "put", "delete"];
let components = {};

function el(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return node;
}

/** A sentence of a description: what stands between backticks is code. */
const prose = (text) => text.split(/`([^`]+)`/).map((part, n) => (n % 2 ? el("code", {}, part) : part));

const resolved = (schema) => (schema && schema.$ref ? components[schema.$ref.split("/").at(-1)] || {} : schema || {});
const named = (schema) => (schema && schema.$ref ? schema.$ref.split("/").at(-1) : "");

/** One line that says what a schema allows. */
function kind(given) {
  const schema = resolved(given);
  if ("const" in schema) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  const options = schema.anyOf || schema.oneOf;
  if (options) return options.map(kind).join(" | ");
  if (schema.type === "array") return `list of ${kind(schema.items)}`;
  if (schema.type === "object" && schema.additionalProperties && schema.additionalProperties !== true) return `map to ${kind(schema.additionalProperties)}`;
  return [named(given) || schema.type || "any", schema.format && `(${schema.format})`].filter(Boolean).join(" ");
}

/** The bounds of a schema, in words. */
function bounds(given) {
  const schema = resolved(given), inner = (schema.anyOf || []).map(resolved).find((each) => each.type !== "null") || schema;
  const words = { minimum: "at least", maximum: "at most", exclusiveMinimum: "more than", exclusiveMaximum: "less than",
    minLength: "length at least", maxLength: "length at most", minItems: "items at least", maxItems: "items at most", pattern: "matches" };
  const found = Object.entries(words).filter(([key]) => key in inner).map(([key, word]) => `${word} ${inner[key]}`);
  if (schema.default !== undefined && schema.default !== null) found.push(`default ${JSON.stringify(schema.default)}`);
  return found.join(", ");
}

function row(name, required, schema, description) {
  return el("tr", {}, el("td", {}, el("code", {}, name), required ? el("span", { class: "required", title: "required" }, " *") : null),
    el("td", {}, kind(schema)), el("td", { class: "quiet" }, ...prose([description || resolved(schema).description || "", bounds(schema)].filter(Boolean).join(" · "))));
}

function fields(given) {
  const schema = resolved(given);
  const required = new Set(schema.required || []);
  const rows = Object.entries(schema.properties || {}).map(([name, property]) => row(name, required.has(name), property, property.description));
  return rows.length ? el("table", {}, ...rows) : el("p", { class: "quiet" }, kind(given));
}

/** An example made from the schema; `depth` ends schemas that hold themselves. */
function example(given, depth = 0) {
  const schema = resolved(given);
  if (depth > 6) return null;
  if (schema.examples) return schema.examples[0];
  if ("const" in schema) return schema.const;
  if (schema.enum) return schema.enum[0];
  const options = schema.anyOf || schema.oneOf;
  if (options) return example(options[0], depth + 1);
  if (schema.type === "array") return [example(schema.items, depth + 1)];
  if (schema.properties) return Object.fromEntries(Object.entries(schema.properties).map(([name, each]) => [name, example(each, depth + 1)]));
  if (schema.type === "object") return {};
  if (schema.default !== undefined && schema.default !== null) return schema.default;
  const formats = { uuid: "8b0c0f0e-5d1c-4f5e-9c55-0d8f4a2b7c11", "date-time": "2026-01-31T12:00:00Z", date: "2026-01-31" };
  return { string: formats[schema.format] || "text", integer: 1, number: 1, boolean: true }[schema.type] ?? null;
}

function answers(operation) {
  const [told, errors] = [[], []];
  for (const entry of Object.entries(operation.responses)) (entry[1].$ref ? errors : told).push(entry);
  const refused = errors.length ? [el("p", { class: "quiet" }, `Errors: ${errors.map(([status]) => status).join(", ")}.`)] : [];
  return told.flatMap(([status, answer]) => {
    const content = Object.entries(answer.content || {})[0];
    if (!content) return [el("h3", {}, `${status}`)];
    const [type, { schema }] = content;
    const shown = type.includes("json") && schema && Object.keys(schema).length;
    return [el("h3", {}, `${status} ${type}`), shown ? el("pre", { tabindex: "0" }, JSON.stringify(example(schema), null, 2)) : null];
  }).concat(refused);
}

function operationNode(path, method, operation) {
  const parameters = operation.parameters || [];
  const body = operation.requestBody && Object.values(operation.requestBody.content)[0].schema;
  const parts = [];
  if (operation.security) parts.push(el("p", { class: "quiet" }, `Needs ${operation.security.flatMap(Object.keys).join(", ")}.`));
  if (parameters.length) {
    parts.push(el("h3", {}, "Parameters"), el("table", {}, ...parameters.map((each) =>
      row(`${each.name} (${each.in})`, each.required, each.schema, each.description))));
  }
  if (body) parts.push(el("h3", {}, `Body ${named(body)}`), fields(body));
  const summary = el("summary", {}, el("span", { class: `method ${method}` }, method.toUpperCase()), el("code", {}, path),
    el("span", { class: "quiet" }, ...prose(operation.description || operation.summary || "")));
  const node = el("details", {}, summary, el("div", { class: "body" }, ...parts, ...answers(operation).filter(Boolean)));
  node.dataset.text = `${method} ${path} ${operation.description || ""}`.toLowerCase();
  return node;
}

function draw(spec) {
  components = spec.components.schemas;
  document.getElementById("title").textContent = `${spec.info.title} API ${spec.info.version}`;
  document.getElementById("summary").textContent = spec.info.summary || "";
  const byTag = new Map();
  for (const [path, methods] of Object.entries(spec.paths)) {
    for (const method of METHODS.filter((each) => each in methods)) {
      const tag = (methods[method].tags || ["other"])[0];
      byTag.set(tag, [...(byTag.get(tag) || []), operationNode(path, method, methods[method])]);
    }
  }
  const sections = [...byTag].map(([tag, nodes]) => el("section", {}, el("h2", {}, tag), ...nodes));
  document.getElementById("operations").replaceChildren(...sections);
}

document.getElementById("search").addEventListener("input", (event) => {
  const words = event.target.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const section of document.querySelectorAll("section")) {
    const nodes = [...section.querySelectorAll("details")];
    for (const node of nodes) node.hidden = !words.every((word) => node.dataset.text.includes(word));
    section.hidden = nodes.every((node) => node.hidden);
  }
});

fetch("/api/openapi.json").then((response) => response.json()).then(draw, () => {
  document.getElementById("operations").textContent = "The document cannot be had at the moment.";
});

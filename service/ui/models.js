// Reads the API's own description: which models there are, what each takes and gives.

const PREDICT = /^\/v1\/([^/]+)\/predict$/;
const JSON_TYPE = "application/json";

export function read(document) {
  const found = Object.keys(document.paths).filter((path) => PREDICT.test(path));
  return found.map((path) => one(document, path));
}

export const wantsToken = (document) => document.security.length > 0;

// The schema that a `$ref` stands for, or the schema itself.
export function resolve(document, schema) {
  if (!schema.$ref) return schema;
  return schema.$ref.slice(2).split("/").reduce((node, part) => node[part], document);
}

function one(document, path) {
  const name = PREDICT.exec(path)[1];
  const operation = document.paths[path].post;
  const batchPath = `${path}/batch`;
  const batchBody = document.paths[batchPath].post.requestBody;
  const explainPath = `/v1/${name}/explain`;
  const content = operation.requestBody.content;
  const isTable = JSON_TYPE in content;
  return {
    name,
    title: operation.summary,
    summary: operation.description,
    kind: isTable ? "table" : "photo",
    path,
    batchPath,
    explainPath: explainPath in document.paths ? explainPath : null,
    types: Object.keys(content).filter((type) => type.startsWith("image/")),
    bodyBytes: operation.requestBody["x-max-bytes"],
    batchBytes: batchBody["x-max-bytes"],
    batchItems: batchItems(document, batchBody),
    row: isTable ? resolve(document, content[JSON_TYPE].schema) : null,
    example: isTable ? content[JSON_TYPE].example : null,
    answer: ownAnswer(document, operation),
  };
}

function batchItems(document, body) {
  const [{ schema }] = Object.values(body.content);
  const [list] = Object.values(resolve(document, schema).properties);
  return list.maxItems;
}

// The model's own fields: what comes before the four that every answer has.
function ownAnswer(document, operation) {
  const whole = resolve(document, operation.responses["200"].content[JSON_TYPE].schema);
  const common = ["model", "version", "release", "processing_time_ms"];
  return Object.entries(whole.properties).filter(([field]) => !common.includes(field));
}

// Calls of the official openai for Node; a line of JSON for each. Run by bench.clients, which
// copies this file beside its packages, outside the repository.
import assert from "node:assert";
import OpenAI from "openai";

const env = process.env;
const [model, caller, embedding] = [
  env.DURE_CLIENTS_MODEL,
  env.DURE_CLIENTS_CALLER,
  env.DURE_CLIENTS_EMBEDDING,
];
const client = (apiKey = env.DURE_CLIENTS_KEY, maxRetries = 0) =>
  new OpenAI({ apiKey, baseURL: `${env.DURE_CLIENTS_URL}/v1`, maxRetries, timeout: 120_000 });
const messages = [{ role: "user", content: "안녕? Say hello in one word." }];
const schema = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
  additionalProperties: false,
};
const tools = [{ type: "function", function: { name: "weather", parameters: schema } }];
const flat = [{ type: "function", name: "weather", parameters: schema, strict: true }];
const chat = (more = {}) =>
  client().chat.completions.create({ model, messages, max_tokens: 8, ...more });

async function all(stream) {
  const found = [];
  for await (const one of await stream) found.push(one);
  return found;
}

async function fails(kind, ask) {
  try {
    await ask();
  } catch (error) {
    assert(error instanceof kind, `${error.constructor.name}: ${error.message}`);
    assert(error.code && error.type, error.message);
    return error;
  }
  throw new Error("it was answered");
}

const calls = {
  async chat() {
    const answer = await chat();
    assert(answer.choices[0].message.content);
    assert(answer.usage.completion_tokens > 0);
  },
  async "chat, stream"() {
    const chunks = await all(chat({ stream: true }));
    assert(chunks.map((one) => one.choices[0]?.delta.content ?? "").join(""));
    assert(chunks.at(-1).choices[0].finish_reason);
  },
  async "chat, stream with usage"() {
    const chunks = await all(chat({ stream: true, stream_options: { include_usage: true } }));
    assert(chunks.at(-1).usage.completion_tokens > 0);
  },
  async "chat, stream helper"() {
    const stream = client().chat.completions.stream({ model, messages, max_tokens: 8 });
    assert((await stream.finalChatCompletion()).choices[0].message.content);
  },
  async "chat, tools"() {
    const answer = (await chat({ model: caller, tools })).choices[0].message;
    assert(answer.tool_calls?.length || answer.content);
    for (const call of answer.tool_calls ?? []) JSON.parse(call.function.arguments);
  },
  async "chat, tools, stream"() {
    const chunks = await all(chat({ model: caller, tools, stream: true }));
    assert(chunks.some((one) => one.choices[0]?.delta.content || one.choices[0]?.delta.tool_calls));
  },
  async "chat, json schema"() {
    const json_schema = { name: "weather", schema, strict: true };
    const answer = await chat({ response_format: { type: "json_schema", json_schema } });
    assert(answer.choices[0].message.content);
  },
  async "chat, json object"() {
    const answer = await chat({ response_format: { type: "json_object" } });
    assert(answer.choices[0].message.content);
  },
  async completions() {
    const answer = await client().completions.create({ model, prompt: "Hello", max_tokens: 8 });
    assert(answer.choices[0].text);
  },
  async "completions, stream"() {
    const wanted = { model, prompt: "Hello", max_tokens: 8, stream: true };
    const chunks = await all(client().completions.create(wanted));
    assert(chunks.map((one) => one.choices[0]?.text ?? "").join(""));
  },
  async "embeddings, float"() {
    const wanted = { model: embedding, input: ["가", "나다"], encoding_format: "float" };
    const answer = await client().embeddings.create(wanted);
    assert.equal(typeof answer.data[1].embedding[0], "number");
  },
  async "embeddings, base64"() {
    const packed = await client().embeddings.create({ model: embedding, input: "가" });
    const wanted = { model: embedding, input: "가", encoding_format: "float" };
    const plain = await client().embeddings.create(wanted);
    const other = plain.data[0].embedding;
    assert.equal(packed.data[0].embedding.length, other.length);
    packed.data[0].embedding.forEach((one, n) => assert(Math.abs(one - other[n]) < 1e-4));
  },
  async responses() {
    const wanted = { model, input: "Hello", max_output_tokens: 8, store: false };
    assert((await client().responses.create(wanted)).output_text);
  },
  async "responses, stream"() {
    const wanted = { model, input: "Hello", max_output_tokens: 8, store: false, stream: true };
    const kinds = (await all(client().responses.create(wanted))).map((one) => one.type);
    assert.equal(kinds[0], "response.created");
    assert.equal(kinds.at(-1), "response.completed");
  },
  async "responses, tools"() {
    const wanted = { model: caller, input: "Weather in Daegu?", tools: flat, store: false };
    assert((await client().responses.create(wanted)).output.length > 0);
  },
  async "models, list"() {
    const found = (await all(client().models.list())).map((one) => one.id);
    assert(found.includes(model) && found.includes(embedding));
  },
  async "models, retrieve"() {
    assert.equal((await client().models.retrieve(model)).id, model);
    await fails(OpenAI.NotFoundError, () => client().models.retrieve("unknown"));
  },
  async headers() {
    const { response, request_id } = await chat().withResponse();
    assert(request_id && response.headers.get("x-dure-site"));
  },
  async "401 → its class"() {
    const error = await fails(OpenAI.AuthenticationError, () => client("dure_x").models.list());
    assert.equal(error.code, "invalid_api_key");
  },
  async "404 → its class"() {
    const error = await fails(OpenAI.NotFoundError, () => chat({ model: "unknown" }));
    assert.equal(error.param, "model");
  },
  async "400 → its class, field"() {
    const error = await fails(OpenAI.BadRequestError, () => chat({ max_tokens: 0 }));
    assert.equal(error.param, "max_tokens");
  },
};

const withOwnKeys = {
  async "403 → its class"() {
    const closed = client(env.DURE_CLIENTS_CLOSED_KEY);
    await fails(OpenAI.PermissionDeniedError, () => closed.models.list());
  },
  async "429 budget → its class, no retry"() {
    const began = Date.now();
    const spent = client(env.DURE_CLIENTS_SPENT_KEY, 3);
    const ask = () => spent.chat.completions.create({ model, messages });
    const error = await fails(OpenAI.RateLimitError, ask);
    assert.equal(error.code, "insufficient_quota");
    assert(Date.now() - began < 30_000);
  },
  async "429 → retried as told"() {
    const busy = client(env.DURE_CLIENTS_BUSY_KEY, 5);
    const wanted = { model: "long", messages, max_tokens: 1000, stream: true };
    const stream = await busy.chat.completions.create(wanted);
    await stream[Symbol.asyncIterator]().next();
    setTimeout(() => stream.controller.abort(), 500);
    const answer = await busy.chat.completions.create({ model, messages, max_tokens: 5 });
    assert(answer.choices[0].message.content);
  },
  async "stream left"() {
    for (let turn = 0; turn < 3; turn += 1) {
      const busy = client(env.DURE_CLIENTS_BUSY_KEY, 5);
      const wanted = { model: "long", messages, max_tokens: 1000, stream: true };
      for await (const _ of await busy.chat.completions.create(wanted)) break;
    }
  },
};

const wanted = env.DURE_CLIENTS_SPENT_KEY ? { ...calls, ...withOwnKeys } : calls;
for (const [call, run] of Object.entries(wanted)) {
  let said = "ok";
  try {
    await run();
  } catch (error) {
    said = `${error.constructor.name}: ${error.message}`.slice(0, 400);
  }
  console.log(JSON.stringify({ call, said }));
}

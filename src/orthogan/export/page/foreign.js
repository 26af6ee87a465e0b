// A generator in an ONNX file, drawn by ONNX Runtime Web, which the page calls `ort`.

class Foreign {
  constructor(model, session, directions) {
    this.model = model;
    this.session = session;
    this.directions = directions; // one row a direction
    this.streamName = BigInt(model.stream);
    this.last = Promise.resolve(); // a session runs one thing at a time
  }

  latent(seed) {
    return latentOf(seed, this.streamName, this.model.latentSize);
  }

  // Classes take turns; null where there are none, or the file itself lets the latent decide.
  classOf(latent, seed) {
    const { classes, drawsClass } = this.model;
    return classes === 0 || drawsClass ? null : Number(seed % BigInt(classes));
  }

  // As `Generator.mixed`, of latents of any length; a class is that of the nearer seed.
  mixed({ seed, goal, way, amounts, label }) {
    const [from, to] = [seed, goal].map((each) => this.latent(each));
    const near = way < 0.5 ? [from, seed] : [to, goal];
    const chosen = label ?? this.classOf(...near);
    if (way === 0 && amounts.every((amount) => amount === 0)) return this.noise(from, chosen);
    const length = (1 - way) * spread(from) + way * spread(to);
    const there = way > 0 ? between(normalised(from), normalised(to), way) : normalised(from);
    const latent = moved(there, amounts, this.directions).map((each) => each * length);
    return this.noise(latent, chosen);
  }

  noise(latent, label) {
    return { latent, label };
  }

  // One image at a time.
  async draw([given]) {
    const run = this.last.then(() => this.session.run(this.inputs(given)));
    this.last = run.catch(() => {}); // who waits for it is told
    const { data } = (await run)[this.model.graph.images];
    const { colours, graph } = this.model;
    const [low, high] = graph.range;
    const values = data.map((value) => (2 * (value - low)) / (high - low) - 1);
    return { pixels: [rgba(values, colours)], weights: [] };
  }

  inputs({ latent, label }) {
    const { latents, labels } = this.model.graph;
    const given = { [latents.name]: new ort.Tensor("float32", latent, [1, ...latents.axes]) };
    if (labels) {
      const numbers = labels.kind === "int64" ? BigInt64Array : Int32Array;
      const number = labels.kind === "int64" ? BigInt(label ?? -1) : (label ?? -1);
      given[labels.name] = new ort.Tensor(labels.kind, numbers.of(number), [1, ...labels.axes]);
    }
    return given;
  }
}

// The root of the mean square.
function spread(latent) {
  return Math.sqrt(latent.reduce((sum, each) => sum + each * each, 0) / latent.length);
}

// Bytes that gzip compressed.
async function inflated(base64) {
  if (!globalThis.DecompressionStream) {
    throw new Error("it cannot decompress (DecompressionStream); browsers since 2023 can.");
  }
  const stream = new Blob([bytesOf(base64)]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// The runtime, with the file put together again: its large weights are stored apart.
async function foreign(model) {
  if (!globalThis.WebAssembly) throw new Error("it has no WebAssembly, or it is switched off.");
  const text = (id) => byId(id).textContent;
  const [binary, graph] = await Promise.all(["runtime", "graph"].map((id) => inflated(text(id))));
  const constants = constantsOf(model.stored, text("numbers"));
  for (const { key } of model.stored) {
    if (typeof key !== "number") continue;
    const { buffer, byteOffset, byteLength } = constants[key];
    graph.set(new Uint8Array(buffer, byteOffset, byteLength), key);
  }
  Object.assign(ort.env.wasm, { wasmBinary: binary.buffer, numThreads: 1, proxy: false });
  ort.env.logLevel = "error";
  const session = await ort.InferenceSession.create(graph, { executionProviders: ["wasm"] });
  return new Foreign(model, session, constants.directions);
}

// The licenses of what the runtime is built from, once somebody wants to read them.
async function showNotices({ target }) {
  const place = target.querySelector("pre");
  if (!place.textContent) {
    place.textContent = new TextDecoder().decode(await inflated(byId("notices").textContent));
  }
}

byId("licenses").addEventListener("toggle", showNotices);
begin(foreign);

// A program (orthogan/export/web/program.py) made ready for a number of images, and run.

// Steps that make another view of the same numbers.
const VIEWS = new Set(["view", "permute", "expand", "slice"]);

class Network {
  // `program` has `steps`, `images` and `weights`; `constants` are arrays by their step.
  constructor(program, constants) {
    this.program = program;
    this.constants = constants;
    this.kept = new Map(); // panels of constants, shared by all plans
    this.plans = new Map();
    this.heap = VectorHeap.create();
  }

  // An array for a factor of a product.
  panels(rows, depth) {
    const size = panelSize(rows, depth);
    return this.heap?.array(size) ?? new Float32Array(size);
  }

  once(key, make) {
    if (!this.kept.has(key)) this.kept.set(key, make());
    return this.kept.get(key);
  }

  // Everything that can be decided before the numbers are known.
  plan(count, withWeights = false) {
    const key = `${count},${withWeights}`;
    if (!this.plans.has(key)) this.plans.set(key, new Plan(this, count, withWeights));
    return this.plans.get(key);
  }

  // Images of packed noise, `count` latents one after the other.
  run(noise, count, withWeights = false) {
    const plan = this.plan(count, withWeights);
    plan.input.set(noise);
    for (const work of plan.work) work();
    return plan;
  }
}

class Plan {
  constructor(network, count, withWeights) {
    const { steps, images, weights } = network.program;
    const lastUse = lastUses(steps, withWeights ? [images, ...weights] : [images]);
    this.network = network;
    this.work = [];
    this.values = new Array(steps.length);
    this.spare = new Map(); // arrays that no later step reads, by their length
    const until = new Map(); // the last step that reads an array, through whichever view
    steps.forEach((step, place) => {
      if (lastUse[place] < 0) return;
      const shape = step.shape.map((size) => (size < 0 ? -size * count : size));
      const value = this.make(step, place, shape);
      this.values[place] = value;
      if (step.kind === "input") this.input = value.data;
      if (!value.isLasting) until.set(value.data, Math.max(until.get(value.data) ?? 0, lastUse[place]));
      for (const [array, last] of until) {
        if (last > place) continue;
        until.delete(array);
        this.spare.set(array.length, [...(this.spare.get(array.length) ?? []), array]);
      }
    });
    this.images = packed(this, this.values[images]);
    this.weights = withWeights ? weights.map((place) => packed(this, this.values[place])) : [];
  }

  make(step, place, shape) {
    if (step.kind === "input") {
      return { ...tensor(new Float32Array(sizeOf(shape)), shape), isLasting: true };
    }
    if (step.kind === "constant") {
      const lasting = { isLasting: true, isConstant: true, name: place };
      return { ...tensor(this.network.constants[place], shape), ...lasting };
    }
    const given = step.inputs.map((each) => this.values[each]);
    const view = VIEWS.has(step.kind) ? viewOf(step, given[0], shape) : null;
    if (view) return view;
    const size = sizeOf(shape);
    const made = tensor(this.spare.get(size)?.pop() ?? new Float32Array(size), shape);
    this.work.push(kernelOf(step, made, given, this));
    return made;
  }
}

// The last step that reads each value; -1: none, so it need not be made.
function lastUses(steps, wanted) {
  const last = new Array(steps.length).fill(-1);
  for (const place of wanted) last[place] = steps.length;
  for (let place = steps.length - 1; place >= 0; place--) {
    if (last[place] < 0) continue;
    for (const each of steps[place].inputs) last[each] = Math.max(last[each], place);
  }
  return last;
}

function viewOf(step, given, shape) {
  const { order, axis, start, step: every } = step.settings;
  if (step.kind === "permute") return permuted(given, order);
  if (step.kind === "expand") return expanded(given, shape);
  if (step.kind === "slice") return sliced(given, axis, start, shape[axis], every);
  return reshaped(given, shape); // null: its numbers must be copied
}

// The same numbers laid out in order, copied at every run if need be.
function packed(plan, view) {
  if (isPacked(view)) return view;
  const made = tensor(new Float32Array(sizeOf(view.shape)), view.shape);
  plan.work.push(unary("copy", made, view));
  return made;
}

function kernelOf(step, made, given, plan) {
  const { kind, settings } = step;
  if (kind === "view") return unary("copy", tensor(made.data, given[0].shape), given[0]);
  if (UNARY[kind]) return unary(kind, made, given[0]);
  if (BINARY[kind]) return binary(kind, made, given[0], given[1]);
  if (REDUCED[kind]) {
    const count = sizeOf(given[0].shape.slice(given[0].shape.length - settings.axes));
    return reduced(kind, made, packed(plan, given[0]), count);
  }
  const make = KERNELS[kind];
  if (!make) throw new Error(`no kernel for ${kind}`);
  return make(made, given, settings, plan);
}

const KERNELS = {
  where: (made, given) => where(made, ...given),
  softmax: (made, given, _, plan) => softmax(made, packed(plan, given[0])),
  matmul: (made, [left, right, bias], _, plan) =>
    matmul(made, left, right, bias ? packed(plan, bias) : null, plan.network),
  convolution: (made, [images, weight, bias], settings, plan) =>
    convolution(made, packed(plan, images), packed(plan, weight), bias, settings, plan.network),
  solve: (made, [matrices, sides], _, plan) => solve(made, packed(plan, matrices), packed(plan, sides)),
  cat: (made, given, { axis }) => {
    let start = 0;
    const copies = given.map((view) => {
      const part = sliced(made, axis, start, view.shape[axis], 1);
      start += view.shape[axis];
      return unary("copy", part, view);
    });
    return () => copies.forEach((copy) => copy());
  },
  pad: (made, [given], { before, value }) => {
    const cut = (part, start, axis) => sliced(part, axis, start, given.shape[axis], 1);
    const inside = before.reduce(cut, made);
    const copy = unary("copy", inside, given);
    return () => {
      made.data.fill(value);
      copy();
    };
  },
  take: (made, [given], { axis, places }) => {
    const copies = places.map((place, i) =>
      unary("copy", sliced(made, axis, i, 1, 1), sliced(given, axis, place, 1, 1)),
    );
    return () => copies.forEach((copy) => copy());
  },
};

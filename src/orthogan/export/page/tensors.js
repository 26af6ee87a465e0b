// Float32 tensors as views of flat arrays, and the loops over one, two or three of them.
//
// A view has `data`, `offset`, `shape` and `strides`. Reordering axes, cutting and repeating make
// another view and move nothing; only kernels write.

function sizeOf(shape) {
  return shape.reduce((product, size) => product * size, 1);
}

function packedStrides(shape) {
  const strides = new Array(shape.length);
  let step = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = step;
    step *= shape[axis];
  }
  return strides;
}

function tensor(data, shape) {
  return { data, offset: 0, shape, strides: packedStrides(shape) };
}

function isPacked(view) {
  let step = 1;
  for (let axis = view.shape.length - 1; axis >= 0; axis--) {
    if (view.shape[axis] !== 1 && view.strides[axis] !== step) return false;
    step *= view.shape[axis];
  }
  return true;
}

// The same numbers in another shape, or null where no strides say so and they must be copied.
function reshaped(view, shape) {
  const strides = new Array(shape.length).fill(0);
  if (sizeOf(shape) === 0) return { ...view, shape, strides };
  let from = 0;
  let to = 0;
  while (from < view.shape.length || to < shape.length) {
    // The least groups of axes, before and after, that hold equally many numbers.
    const [firstFrom, firstTo] = [from, to];
    let before = from < view.shape.length ? view.shape[from++] : 1;
    let after = to < shape.length ? shape[to++] : 1;
    while (before !== after) {
      if (before < after) before *= view.shape[from++];
      else after *= shape[to++];
    }
    const group = [];
    for (let axis = firstFrom; axis < from; axis++) if (view.shape[axis] !== 1) group.push(axis);
    for (let i = 0; i + 1 < group.length; i++) {
      const [outer, inner] = [group[i], group[i + 1]];
      if (view.strides[outer] !== view.strides[inner] * view.shape[inner]) return null;
    }
    let step = group.length ? view.strides[group[group.length - 1]] : 0;
    for (let axis = to - 1; axis >= firstTo; axis--) {
      strides[axis] = step;
      step *= shape[axis];
    }
  }
  return { ...view, shape, strides };
}

function permuted(view, order) {
  const pick = (list) => order.map((axis) => list[axis]);
  return { ...view, shape: pick(view.shape), strides: pick(view.strides) };
}

function expanded(view, shape) {
  const added = shape.length - view.shape.length;
  const strides = shape.map((size, axis) =>
    axis < added || view.shape[axis - added] !== size ? 0 : view.strides[axis - added],
  );
  return { ...view, shape, strides };
}

function sliced(view, axis, start, length, step) {
  const shape = view.shape.with ? view.shape.with(axis, length) : view.shape.slice();
  const strides = view.strides.slice();
  shape[axis] = length;
  strides[axis] *= step;
  return { ...view, offset: view.offset + start * view.strides[axis], shape, strides };
}

// How to walk over views of one shape: the longest axis inside, the offsets of all others listed.
// Axes that lie end to end in every view count as one.
function walk(views) {
  const axes = [];
  views[0].shape.forEach((size, axis) => {
    if (size === 1) return;
    const steps = views.map((view) => view.strides[axis]);
    const last = axes[axes.length - 1];
    if (last && last.steps.every((step, i) => step === steps[i] * size)) {
      last.size *= size;
      last.steps = steps;
    } else {
      axes.push({ size, steps });
    }
  });
  const none = { size: 1, steps: views.map(() => 0) };
  const inner = axes.reduce((most, axis) => (axis.size > most.size ? axis : most), none);
  let starts = views.map((view) => Int32Array.of(view.offset));
  for (const axis of axes) {
    if (axis === inner) continue;
    starts = starts.map((offsets, i) => {
      const all = new Int32Array(offsets.length * axis.size);
      offsets.forEach((offset, at) => {
        for (let k = 0; k < axis.size; k++) all[at * axis.size + k] = offset + k * axis.steps[i];
      });
      return all;
    });
  }
  return { count: inner.size, steps: inner.steps, starts };
}

// Abramowitz and Stegun 1964, 7.1.26 has 1e-7 only; this is Numerical Recipes' erfc, 1.2e-7
// relative, which float32 cannot tell from the function.
function erf(x) {
  const t = 1 / (1 + 0.5 * Math.abs(x));
  const terms = [
    -1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398,
    1.48851587, -0.82215223, 0.17087277,
  ];
  const series = terms.reduceRight((sum, term) => sum * t + term, 0);
  const tail = t * Math.exp(-x * x + series);
  return x >= 0 ? 1 - tail : tail - 1;
}

// Each loop is a function of its own: written out, the engine compiles one tight loop for it.
// Arguments: output array, start and step; then the same of each input; last the count.
const UNARY = {
  copy: (o, i, s, a, j, t, n) => { for (; n--; i += s, j += t) o[i] = a[j]; },
  neg: (o, i, s, a, j, t, n) => { for (; n--; i += s, j += t) o[i] = -a[j]; },
  abs: (o, i, s, a, j, t, n) => { for (; n--; i += s, j += t) o[i] = Math.abs(a[j]); },
  exp: (o, i, s, a, j, t, n) => { for (; n--; i += s, j += t) o[i] = Math.exp(a[j]); },
  expm1: (o, i, s, a, j, t, n) => { for (; n--; i += s, j += t) o[i] = Math.expm1(a[j]); },
  log: (o, i, s, a, j, t, n) => { for (; n--; i += s, j += t) o[i] = Math.log(a[j]); },
  log1p: (o, i, s, a, j, t, n) => { for (; n--; i += s, j += t) o[i] = Math.log1p(a[j]); },
  sqrt: (o, i, s, a, j, t, n) => { for (; n--; i += s, j += t) o[i] = Math.sqrt(a[j]); },
  rsqrt: (o, i, s, a, j, t, n) => { for (; n--; i += s, j += t) o[i] = 1 / Math.sqrt(a[j]); },
  square: (o, i, s, a, j, t, n) => { for (; n--; i += s, j += t) o[i] = a[j] * a[j]; },
  reciprocal: (o, i, s, a, j, t, n) => { for (; n--; i += s, j += t) o[i] = 1 / a[j]; },
  sin: (o, i, s, a, j, t, n) => { for (; n--; i += s, j += t) o[i] = Math.sin(a[j]); },
  cos: (o, i, s, a, j, t, n) => { for (; n--; i += s, j += t) o[i] = Math.cos(a[j]); },
  tanh: (o, i, s, a, j, t, n) => { for (; n--; i += s, j += t) o[i] = Math.tanh(a[j]); },
  sigmoid: (o, i, s, a, j, t, n) => { for (; n--; i += s, j += t) o[i] = 1 / (1 + Math.exp(-a[j])); },
  relu: (o, i, s, a, j, t, n) => { for (; n--; i += s, j += t) o[i] = a[j] < 0 ? 0 : a[j]; },
  erf: (o, i, s, a, j, t, n) => { for (; n--; i += s, j += t) o[i] = erf(a[j]); },
  floor: (o, i, s, a, j, t, n) => { for (; n--; i += s, j += t) o[i] = Math.floor(a[j]); },
  sign: (o, i, s, a, j, t, n) => { for (; n--; i += s, j += t) o[i] = Math.sign(a[j]); },
  not: (o, i, s, a, j, t, n) => { for (; n--; i += s, j += t) o[i] = a[j] === 0 ? 1 : 0; },
};

const BINARY = {
  add: (o, i, s, a, j, t, b, k, u, n) => { for (; n--; i += s, j += t, k += u) o[i] = a[j] + b[k]; },
  sub: (o, i, s, a, j, t, b, k, u, n) => { for (; n--; i += s, j += t, k += u) o[i] = a[j] - b[k]; },
  mul: (o, i, s, a, j, t, b, k, u, n) => { for (; n--; i += s, j += t, k += u) o[i] = a[j] * b[k]; },
  div: (o, i, s, a, j, t, b, k, u, n) => { for (; n--; i += s, j += t, k += u) o[i] = a[j] / b[k]; },
  pow: (o, i, s, a, j, t, b, k, u, n) => { for (; n--; i += s, j += t, k += u) o[i] = a[j] ** b[k]; },
  maximum: (o, i, s, a, j, t, b, k, u, n) => { for (; n--; i += s, j += t, k += u) o[i] = Math.max(a[j], b[k]); },
  minimum: (o, i, s, a, j, t, b, k, u, n) => { for (; n--; i += s, j += t, k += u) o[i] = Math.min(a[j], b[k]); },
  eq: (o, i, s, a, j, t, b, k, u, n) => { for (; n--; i += s, j += t, k += u) o[i] = a[j] === b[k] ? 1 : 0; },
  ne: (o, i, s, a, j, t, b, k, u, n) => { for (; n--; i += s, j += t, k += u) o[i] = a[j] === b[k] ? 0 : 1; },
  lt: (o, i, s, a, j, t, b, k, u, n) => { for (; n--; i += s, j += t, k += u) o[i] = a[j] < b[k] ? 1 : 0; },
  le: (o, i, s, a, j, t, b, k, u, n) => { for (; n--; i += s, j += t, k += u) o[i] = a[j] <= b[k] ? 1 : 0; },
  gt: (o, i, s, a, j, t, b, k, u, n) => { for (; n--; i += s, j += t, k += u) o[i] = a[j] > b[k] ? 1 : 0; },
  ge: (o, i, s, a, j, t, b, k, u, n) => { for (; n--; i += s, j += t, k += u) o[i] = a[j] >= b[k] ? 1 : 0; },
};

// What applies a loop of `UNARY` to a view, again and again.
function unary(kind, made, given) {
  const loop = UNARY[kind];
  const { count, steps, starts } = walk([made, expanded(given, made.shape)]);
  const [i, j] = starts;
  return () => {
    for (let at = 0; at < i.length; at++) {
      loop(made.data, i[at], steps[0], given.data, j[at], steps[1], count);
    }
  };
}

function binary(kind, made, left, right) {
  const loop = BINARY[kind];
  const views = [made, expanded(left, made.shape), expanded(right, made.shape)];
  const { count, steps, starts } = walk(views);
  const [i, j, k] = starts;
  const [s, t, u] = steps;
  return () => {
    for (let at = 0; at < i.length; at++) {
      loop(made.data, i[at], s, left.data, j[at], t, right.data, k[at], u, count);
    }
  };
}

function where(made, mask, yes, no) {
  const views = [made, ...[mask, yes, no].map((view) => expanded(view, made.shape))];
  const { count, steps, starts } = walk(views);
  return () => {
    for (let at = 0; at < starts[0].length; at++) {
      let [i, j, k, l] = starts.map((offsets) => offsets[at]);
      for (let n = count; n--; i += steps[0], j += steps[1], k += steps[2], l += steps[3]) {
        made.data[i] = mask.data[j] !== 0 ? yes.data[k] : no.data[l];
      }
    }
  };
}

// Along the last axes of a packed view: `count` numbers become one.
const REDUCED = {
  sum: (a, i, n) => { let sum = 0; for (; n--; i++) sum += a[i]; return sum; },
  mean: (a, i, n) => { let sum = 0; for (let k = 0; k < n; k++) sum += a[i + k]; return sum / n; },
  amax: (a, i, n) => { let most = -Infinity; for (; n--; i++) if (a[i] > most) most = a[i]; return most; },
  amin: (a, i, n) => { let least = Infinity; for (; n--; i++) if (a[i] < least) least = a[i]; return least; },
};

function reduced(kind, made, given, count) {
  const one = REDUCED[kind];
  const total = sizeOf(made.shape);
  return () => {
    for (let at = 0; at < total; at++) {
      made.data[made.offset + at] = one(given.data, given.offset + at * count, count);
    }
  };
}

// Rows of packed logits become distributions.
function softmax(made, given) {
  const length = given.shape[given.shape.length - 1];
  const rows = sizeOf(given.shape) / length;
  return () => {
    const [from, to] = [given.data, made.data];
    for (let row = 0; row < rows; row++) {
      const [i, j] = [given.offset + row * length, made.offset + row * length];
      let most = -Infinity;
      for (let k = 0; k < length; k++) if (from[i + k] > most) most = from[i + k];
      let sum = 0;
      for (let k = 0; k < length; k++) sum += to[j + k] = Math.exp(from[i + k] - most);
      const scale = 1 / sum;
      for (let k = 0; k < length; k++) to[j + k] *= scale;
    }
  };
}

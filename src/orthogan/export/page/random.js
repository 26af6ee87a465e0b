// The random streams of orthogan (src/orthogan/streams.py), bit for bit those of numpy.

// Philox 4x64 with 10 rounds: Salmon, Moraes, Dror and Shaw 2011, "Parallel random numbers: as
// easy as 1, 2, 3".
const PHILOX_ROUNDS = 10;
const PHILOX_FACTORS = [0xd2e7470ee14c6c93n, 0xca5a826395121157n];
const PHILOX_WEYL = [0x9e3779b97f4a7c15n, 0xbb67ae8584caa73bn];
const WORD = (1n << 64n) - 1n;

// Four words from a key of two and a counter of four.
function philox(key, counter) {
  let [a, b, c, d] = counter;
  let [k, l] = key;
  for (let round = 0; round < PHILOX_ROUNDS; round++) {
    const first = a * PHILOX_FACTORS[0];
    const second = c * PHILOX_FACTORS[1];
    [a, b, c, d] = [(second >> 64n) ^ b ^ k, second & WORD, (first >> 64n) ^ d ^ l, first & WORD];
    k = (k + PHILOX_WEYL[0]) & WORD;
    l = (l + PHILOX_WEYL[1]) & WORD;
  }
  return [a, b, c, d];
}

// The 32-bit halves of the words of one stream of a seed, the low half of each word first.
class Stream {
  constructor(seed, name) {
    this.key = [seed, name];
    this.count = 0n;
    this.halves = [];
  }

  bits() {
    if (this.halves.length === 0) {
      this.count += 1n; // counted before it is used, as numpy does
      for (const word of philox(this.key, [this.count, 0n, 0n, 0n])) {
        this.halves.push(Number(word & 0xffffffffn), Number(word >> 32n));
      }
    }
    return this.halves.shift();
  }

  // Uniform in [0, 1), a float32.
  uniform() {
    return (this.bits() >>> 8) / 16777216;
  }
}

// The ziggurat of 256 layers of equal area (Marsaglia and Tsang 2000) in numpy's float32 form.
const NORMAL_TAIL = 3.6541528853610087963519472518;
const LAYER_AREA = 0.00492867323397465524;

const ZIGGURAT = (() => {
  const density = (x) => Math.exp((-x * x) / 2);
  const edges = new Float64Array(256);
  edges[255] = NORMAL_TAIL;
  for (let i = 255; i > 1; i--) {
    edges[i - 1] = Math.sqrt(-2 * Math.log(LAYER_AREA / edges[i] + density(edges[i])));
  }
  const bottom = LAYER_AREA / density(NORMAL_TAIL); // the lowest layer as a box, tail and all
  const scale = 2 ** 23;
  const width = new Float32Array(256);
  const height = new Float32Array(256);
  const inside = new Uint32Array(256); // below it, a draw lies under the curve for sure
  for (let i = 0; i < 256; i++) {
    width[i] = (i === 0 ? bottom : edges[i]) / scale;
    height[i] = i === 0 ? 1 : density(edges[i]);
    inside[i] = i === 0 ? (NORMAL_TAIL / bottom) * scale : (edges[i - 1] / edges[i]) * scale;
  }
  return { width, height, inside };
})();

// One standard normal float32, as numpy's `standard_normal(dtype=float32)` draws it.
function normal(stream) {
  const { width, height, inside } = ZIGGURAT;
  const round = Math.fround;
  for (;;) {
    const bits = stream.bits();
    const layer = bits & 0xff;
    const isNegative = (bits >>> 8) & 1;
    const place = bits >>> 9;
    const size = round(place * width[layer]);
    const x = isNegative ? -size : size;
    if (place < inside[layer]) return x;
    if (layer > 0) {
      const step = round(round(height[layer - 1] - height[layer]) * stream.uniform());
      if (round(step + height[layer]) < Math.exp(-0.5 * x * x)) return x;
      continue;
    }
    for (;;) {
      const tail = round(-round(1 / NORMAL_TAIL) * round(Math.log1p(-stream.uniform())));
      const limit = -round(Math.log1p(-stream.uniform()));
      if (round(limit + limit) > round(tail * tail)) {
        const far = round(round(NORMAL_TAIL) + tail);
        return (place >>> 8) & 1 ? -far : far;
      }
    }
  }
}

// The latent of a seed: what `orthogan.rng.latents` draws.
function latentOf(seed, streamName, size) {
  const stream = new Stream(seed, streamName);
  return Float32Array.from({ length: size }, () => normal(stream));
}

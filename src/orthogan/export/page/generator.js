// A trained generator: from a seed to the bytes of an image, as `orthogan sample` makes them.

class Generator {
  // `model` is what the page holds as JSON, `base64` its numbers.
  constructor(model, base64) {
    const constants = constantsOf(model.stored, base64);
    this.model = model;
    this.network = new Network(model.program, constants);
    this.classVectors = constants.classes; // one row a class; none in a generator without
    this.directions = constants.directions; // one row a direction
    this.streamName = BigInt(model.stream);
  }

  latent(seed) {
    return latentOf(seed, this.streamName, this.model.latentSize);
  }

  // The class that a latent stands for: its length decides, which its image does not depend on.
  classOf(latent) {
    if (!this.model.classes) return null;
    const half = latent.reduce((sum, each) => sum + each * each, 0) / 2;
    return this.model.quantiles.filter((quantile) => half >= quantile).length;
  }

  // What the network is given for a latent of a class.
  noise(latent, label) {
    const noise = normalised(latent);
    if (label === null) return noise;
    const start = label * noise.length;
    return noise.map((each, i) => each + this.classVectors[start + i]);
  }

  // What the network is given on the way from a seed to another, moved along directions; without a
  // label each seed decides its class.
  mixed({ seed, goal, way, amounts, label }) {
    const [from, to] = [seed, goal].map((each) => this.latent(each));
    const [before, after] = [from, to].map((latent) => label ?? this.classOf(latent));
    let direction = normalised(from);
    if (way > 0) direction = between(direction, normalised(to), way);
    direction = moved(direction, amounts, this.directions);
    if (before === null) return direction;
    const vector = (label, i) => this.classVectors[label * direction.length + i];
    return direction.map(
      (each, i) => each + (1 - way) * vector(before, i) + way * vector(after, i),
    );
  }

  // Images (RGBA bytes, one after the other) of noises; with the attention weights on request.
  draw(noises, withWeights = false) {
    const { latentSize, size, colours } = this.model;
    const packedNoise = new Float32Array(noises.length * latentSize);
    noises.forEach((noise, i) => packedNoise.set(noise, i * latentSize));
    const { images, weights } = this.network.run(packedNoise, noises.length, withWeights);
    const values = images.data.subarray(images.offset);
    const pixels = noises.map((_, i) => {
      const start = i * colours * size * size;
      return rgba(values.subarray(start, start + colours * size * size), colours);
    });
    return { pixels, weights };
  }
}

// Latents of unit mean square; the sum in float32's place is float64 here.
function normalised(latent) {
  const square = latent.reduce((sum, each) => sum + each * each, 0) / latent.length;
  const scale = 1 / Math.sqrt(square + 1e-8);
  return latent.map((each) => each * scale);
}

// On the sphere that latents lie on, from one to the other by the shortest way.
function between(from, to, way) {
  const length = from.length;
  const cosine = from.reduce((sum, each, i) => sum + each * to[i], 0) / length;
  const angle = Math.acos(Math.min(1, Math.max(-1, cosine)));
  if (Math.sin(angle) < 1e-6) return way < 0.5 ? from : to;
  const before = Math.sin((1 - way) * angle) / Math.sin(angle);
  const after = Math.sin(way * angle) / Math.sin(angle);
  return from.map((each, i) => before * each + after * to[i]);
}

// Along directions, one row each, by so much of each, and back on that sphere.
function moved(latent, amounts, directions) {
  if (amounts.every((amount) => amount === 0)) return latent;
  const axis = (row, i) => directions[row * latent.length + i];
  return normalised(
    latent.map((each, i) => amounts.reduce((sum, by, row) => sum + by * axis(row, i), each)),
  );
}

// Half-way values go to the even number, as numpy and PyTorch round.
function rounded(value) {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return rest < 0.5 ? floor : floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}

// From -1..1 to 0..255, in the float32 that Python computes in.
function level(value) {
  return Math.fround(Math.fround(value + 1) * 127.5);
}

function byteOf(value) {
  return Math.min(255, Math.max(0, rounded(value)));
}

// The bytes of one image from its planes in [-1, 1]: grey, RGB, or RGB seen through an opacity.
function rgba(values, colours) {
  const area = values.length / colours;
  const bytes = new Uint8ClampedArray(4 * area);
  for (let i = 0; i < area; i++) {
    const opacity = colours === 4 ? byteOf(level(values[3 * area + i])) : 255;
    for (let c = 0; c < 3; c++) {
      const shown = level(values[(colours === 1 ? 0 : c) * area + i]);
      if (colours < 4) bytes[4 * i + c] = byteOf(shown);
      else if (opacity > 0) bytes[4 * i + c] = byteOf(Math.fround(Math.fround(shown * 255) / opacity));
    }
    bytes[4 * i + 3] = opacity;
  }
  return bytes;
}

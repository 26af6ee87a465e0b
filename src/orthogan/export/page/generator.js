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

// What a patch of the image attends to, laid over the image.

// The patches of the image: a square grid of tokens, `patch` pixels apart, cut at the margins.
function patchesOf(model, numTokens) {
  const side = Math.round(Math.sqrt(numTokens));
  const patch = model.patch ?? model.size / side;
  return { side, patch, margin: Math.floor((side * patch - model.size) / 2) };
}

// One number a token: how much `query` reads of it in a head, or in all heads on average.
function attended(weights, head, query) {
  const [, heads, queries, keys] = weights.shape;
  const chosen = head === null ? [...Array(heads).keys()] : [head];
  const sums = new Float32Array(keys);
  for (const each of chosen) {
    const start = weights.offset + (each * queries + query) * keys;
    for (let key = 0; key < keys; key++) sums[key] += weights.data[start + key] / chosen.length;
  }
  return sums;
}

class Overlay {
  constructor(canvas, model) {
    this.canvas = canvas;
    this.model = model;
    this.query = null;
  }

  clear() {
    this.query = null;
    this.canvas.getContext("2d").clearRect(0, 0, this.canvas.width, this.canvas.height);
  }

  // Darker where more is read: warm what counts for it, cold what counts against it.
  show(weights, head, query) {
    this.query = query;
    const { side, patch, margin } = patchesOf(this.model, weights.shape[2]);
    const read = attended(weights, head, query);
    const most = read.reduce((max, each) => Math.max(max, Math.abs(each)), 1e-30);
    const zoom = Math.max(1, Math.round(672 / this.model.size));
    this.canvas.width = this.canvas.height = this.model.size * zoom;
    const context = this.canvas.getContext("2d");
    const styles = getComputedStyle(this.canvas);
    const colour = (name) => styles.getPropertyValue(name);
    const [warm, cold, mark, edge] = ["--warm", "--cold", "--mark", "--edge"].map(colour);
    const box = (token) => {
      const [row, column] = [Math.floor(token / side), token % side];
      const [left, top] = [column * patch - margin, row * patch - margin];
      return [left, top, patch, patch].map((pixels) => pixels * zoom);
    };
    read.forEach((each, token) => {
      context.globalAlpha = 0.8 * (Math.abs(each) / most);
      context.fillStyle = each < 0 ? cold : warm;
      context.fillRect(...box(token));
    });
    context.globalAlpha = 1;
    // Light within dark, to be seen on any image.
    const [x, y, width, height] = box(query);
    const thin = Math.max(2, zoom / 6);
    [[edge, 2 * thin], [mark, thin]].forEach(([style, line]) => {
      context.strokeStyle = style;
      context.lineWidth = line;
      context.strokeRect(x + thin, y + thin, width - 2 * thin, height - 2 * thin);
    });
    return { read, side };
  }
}

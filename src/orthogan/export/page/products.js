// Matrix products, and what is written as one: convolutions and linear systems.

// Both factors are laid out in panels of four rows, or columns, so that the innermost loop reads
// neighbours only. Sums are kept in float64, which JavaScript computes in anyway.
const PANEL = 4;

// The rows of a matrix in panels of four, padded with zeros: [panel][depth][4].
function packRows(into, data, offset, rows, depth, rowStep, depthStep) {
  let at = 0;
  for (let first = 0; first < rows; first += PANEL) {
    const count = Math.min(PANEL, rows - first);
    const start = offset + first * rowStep;
    for (let k = 0; k < depth; k++) {
      const from = start + k * depthStep;
      for (let r = 0; r < count; r++) into[at + r] = data[from + r * rowStep];
      for (let r = count; r < PANEL; r++) into[at + r] = 0;
      at += PANEL;
    }
  }
}

// Numbers in the panels of a factor: an even count of panels, as the vectors take columns.
function panelSize(rows, depth) {
  return Math.ceil(rows / (2 * PANEL)) * 2 * PANEL * depth;
}

// The product of four packed rows and four packed columns, all 16 sums at once, into `tile`.
function tileProduct(tile, a, i, b, j, depth) {
  let c00 = 0, c01 = 0, c02 = 0, c03 = 0, c10 = 0, c11 = 0, c12 = 0, c13 = 0;
  let c20 = 0, c21 = 0, c22 = 0, c23 = 0, c30 = 0, c31 = 0, c32 = 0, c33 = 0;
  for (; depth--; i += 4, j += 4) {
    const a0 = a[i], a1 = a[i + 1], a2 = a[i + 2], a3 = a[i + 3];
    const b0 = b[j], b1 = b[j + 1], b2 = b[j + 2], b3 = b[j + 3];
    c00 += a0 * b0; c01 += a0 * b1; c02 += a0 * b2; c03 += a0 * b3;
    c10 += a1 * b0; c11 += a1 * b1; c12 += a1 * b2; c13 += a1 * b3;
    c20 += a2 * b0; c21 += a2 * b1; c22 += a2 * b2; c23 += a2 * b3;
    c30 += a3 * b0; c31 += a3 * b1; c32 += a3 * b2; c33 += a3 * b3;
  }
  tile[0] = c00; tile[1] = c01; tile[2] = c02; tile[3] = c03;
  tile[4] = c10; tile[5] = c11; tile[6] = c12; tile[7] = c13;
  tile[8] = c20; tile[9] = c21; tile[10] = c22; tile[11] = c23;
  tile[12] = c30; tile[13] = c31; tile[14] = c32; tile[15] = c33;
}

const TILE = new Float64Array(PANEL * PANEL);

// A B from panels by the vectors, as a matrix with rows of `stride` numbers; null without them.
function vectorProduct(heap, a, b, rows, columns, depth) {
  if (heap === null || !heap.holds(a, b)) return null;
  const panels = Math.ceil(rows / PANEL);
  const stride = Math.ceil(columns / (2 * PANEL)) * 2 * PANEL;
  const data = heap.resultOf(panels * PANEL * stride);
  if (data === null) return null;
  heap.product(a.byteOffset, b.byteOffset, data.byteOffset, panels, stride / (2 * PANEL), depth);
  return { data, stride };
}

// C = A B + bias, from panels; `bias` is one number a column, or null.
function panelProduct(heap, to, offset, a, b, rows, columns, depth, bias) {
  const made = vectorProduct(heap, a, b, rows, columns, depth);
  if (made === null) {
    plainProduct(to, offset, a, b, rows, columns, depth, bias);
    return;
  }
  for (let row = 0, at = offset; row < rows; row++) {
    const from = row * made.stride;
    if (bias === null) {
      for (let c = 0; c < columns; c++, at++) to[at] = made.data[from + c];
    } else {
      for (let c = 0; c < columns; c++, at++) to[at] = made.data[from + c] + bias[c];
    }
  }
}

function plainProduct(to, offset, a, b, rows, columns, depth, bias) {
  for (let row = 0; row < rows; row += PANEL) {
    const high = Math.min(PANEL, rows - row);
    for (let column = 0; column < columns; column += PANEL) {
      const wide = Math.min(PANEL, columns - column);
      tileProduct(TILE, a, row * depth, b, column * depth, depth);
      for (let r = 0; r < high; r++) {
        const at = offset + (row + r) * columns + column;
        for (let c = 0; c < wide; c++) {
          to[at + c] = TILE[r * PANEL + c] + (bias === null ? 0 : bias[column + c]);
        }
      }
    }
  }
}

// Panels of a factor: once for a constant, else at every run. `layout` is the matrix inside of the
// view's last two axes: [rows, depth, rowStep, depthStep].
function panelsOf(view, layout, network) {
  const [rows, depth, rowStep, depthStep] = layout;
  const pack = (into, offset) => packRows(into, view.data, offset, rows, depth, rowStep, depthStep);
  if (view.isConstant) {
    return (offset) => {
      const key = [view.name, offset, ...layout].join();
      return network.once(key, () => {
        const panels = network.panels(rows, depth);
        pack(panels, offset);
        return panels;
      });
    };
  }
  const panels = network.panels(rows, depth);
  return (offset) => {
    pack(panels, offset);
    return panels;
  };
}

function matmul(made, left, right, bias, network) {
  const [rows, depth] = left.shape.slice(-2);
  const columns = right.shape[right.shape.length - 1];
  const rank = made.shape.length;
  const [l, r] = [left.strides.slice(-2), right.strides.slice(-2)];
  const leftPanels = panelsOf(left, [rows, depth, l[0], l[1]], network);
  const rightPanels = panelsOf(right, [columns, depth, r[1], r[0]], network);
  const batch = made.shape.slice(0, rank - 2);
  const outer = (view) => ({ ...view, shape: batch, strides: view.strides.slice(0, rank - 2) });
  const starts = offsetsOf([made, left, right].map(outer));
  const shift = bias && bias.data.subarray(bias.offset, bias.offset + columns);
  return () => {
    for (const [to, from, other] of starts) {
      const [a, b] = [leftPanels(from), rightPanels(other)];
      panelProduct(network.heap, made.data, to, a, b, rows, columns, depth, shift);
    }
  };
}

// The offsets of all numbers of views of one shape, together.
function offsetsOf(views) {
  let all = [views.map((view) => view.offset)];
  views[0].shape.forEach((size, axis) => {
    const steps = views.map((view) => view.strides[axis]);
    all = all.flatMap((at) =>
      Array.from({ length: size }, (_, k) => at.map((offset, i) => offset + k * steps[i])),
    );
  });
  return all;
}

// The windows of an image as columns, [channel, row of kernel, column of kernel][window].
function windowsOf(columns, data, offset, form) {
  const { channels, height, width, kernel, stride, padding, dilation, rows, cols } = form;
  let at = 0;
  for (let c = 0; c < channels; c++) {
    for (let y = 0; y < kernel[0]; y++) {
      for (let x = 0; x < kernel[1]; x++) {
        for (let row = 0; row < rows; row++) {
          const i = row * stride[0] - padding[0] + y * dilation[0];
          const start = offset + (c * height + i) * width;
          for (let col = 0; col < cols; col++) {
            const j = col * stride[1] - padding[1] + x * dilation[1];
            const isInside = i >= 0 && i < height && j >= 0 && j < width;
            columns[at++] = isInside ? data[start + j] : 0;
          }
        }
      }
    }
  }
}

// The way back: columns laid over each other where their windows overlap.
function layWindows(data, offset, { data: columns, stride: length }, form) {
  const { channels, height, width, kernel, stride, padding, dilation, rows, cols } = form;
  let start = 0; // of what one tap adds
  for (let c = 0; c < channels; c++) {
    for (let y = 0; y < kernel[0]; y++) {
      for (let x = 0; x < kernel[1]; x++) {
        // Columns of the input that reach a place inside of the output.
        const left = x * dilation[1] - padding[1];
        const first = Math.max(0, Math.ceil(-left / stride[1]));
        const last = Math.min(cols, Math.floor((width - 1 - left) / stride[1]) + 1);
        for (let row = 0, at = start; row < rows; row++, at += cols) {
          const i = row * stride[0] - padding[0] + y * dilation[0];
          if (i < 0 || i >= height) continue;
          let to = offset + (c * height + i) * width + left + first * stride[1];
          for (let col = first; col < last; col++, to += stride[1]) data[to] += columns[at + col];
        }
        start += length;
      }
    }
  }
}

// Images `B C H W`, packed; weights `O C/g h w`, or of a transposed convolution `C O/g h w`.
function convolution(made, given, weight, bias, settings, network) {
  const { groups, transposed } = settings;
  const [images, channels, height, width] = given.shape;
  const [, madeChannels, madeHeight, madeWidth] = made.shape;
  const inside = { channels: channels / groups, height, width, rows: madeHeight, cols: madeWidth };
  const back = {
    channels: madeChannels / groups, height: madeHeight, width: madeWidth, rows: height, cols: width,
  };
  const kernel = weight.shape.slice(2);
  const form = { ...settings, kernel, ...(transposed ? back : inside) };
  const group = (transposed ? transposedGroup : plainGroup)(made, given, weight, form, network);
  const [step, madeStep] = [inside.channels * height * width, back.channels * madeHeight * madeWidth];
  const weightStep = sizeOf(weight.shape) / groups;
  return () => {
    if (transposed) made.data.fill(0, made.offset, made.offset + sizeOf(made.shape));
    for (let each = 0; each < images * groups; each++) {
      const start = weight.offset + (each % groups) * weightStep;
      group(given.offset + each * step, made.offset + each * madeStep, start);
    }
    if (bias) addBias(made, bias);
  };
}

// One group of one image: weights times windows.
function plainGroup(made, given, weight, form, network) {
  const taps = form.channels * form.kernel[0] * form.kernel[1];
  const places = form.rows * form.cols;
  const channels = made.shape[1] / form.groups;
  const weights = panelsOf(weight, [channels, taps, taps, 1], network);
  const columns = new Float32Array(taps * places);
  const panels = network.panels(places, taps);
  return (from, to, at) => {
    windowsOf(columns, given.data, from, form);
    packRows(panels, columns, 0, places, taps, 1, places);
    panelProduct(network.heap, made.data, to, weights(at), panels, channels, places, taps, null);
  };
}

// The other way: what each place gives to each tap of its window, laid over each other.
function transposedGroup(made, given, weight, form, network) {
  const taps = form.channels * form.kernel[0] * form.kernel[1];
  const places = form.rows * form.cols;
  const channels = given.shape[1] / form.groups;
  const weights = panelsOf(weight, [taps, channels, 1, taps], network);
  const columns = new Float32Array(taps * places);
  const panels = network.panels(places, channels);
  return (from, to, at) => {
    packRows(panels, given.data, from, places, channels, 1, places);
    const factor = weights(at);
    let product = vectorProduct(network.heap, factor, panels, taps, places, channels);
    if (product === null) {
      plainProduct(columns, 0, factor, panels, taps, places, channels, null);
      product = { data: columns, stride: places };
    }
    layWindows(made.data, to, product, form);
  };
}

function addBias(made, bias) {
  const [images, channels, height, width] = made.shape;
  let at = made.offset;
  for (let image = 0; image < images; image++) {
    for (let c = 0; c < channels; c++) {
      const shift = bias.data[bias.offset + c * bias.strides[0]];
      for (let n = height * width; n--; at++) made.data[at] += shift;
    }
  }
}

// X of A X = B for packed square matrices, by elimination with the largest pivot of each column.
function solve(made, matrices, sides) {
  const [size, width] = sides.shape.slice(-2);
  const count = sizeOf(sides.shape) / (size * width);
  const a = new Float64Array(size * size);
  const b = new Float64Array(size * width);
  return () => {
    for (let n = 0; n < count; n++) {
      const [i, j] = [matrices.offset + n * size * size, sides.offset + n * size * width];
      a.set(matrices.data.subarray(i, i + size * size));
      b.set(sides.data.subarray(j, j + size * width));
      eliminate(a, b, size, width);
      made.data.set(b, made.offset + n * size * width);
    }
  };
}

function eliminate(a, b, size, width) {
  for (let k = 0; k < size; k++) {
    let pivot = k;
    for (let r = k + 1; r < size; r++) {
      if (Math.abs(a[r * size + k]) > Math.abs(a[pivot * size + k])) pivot = r;
    }
    swapRows(a, k, pivot, size);
    swapRows(b, k, pivot, width);
    for (let r = 0; r < size; r++) {
      if (r === k) continue;
      const factor = a[r * size + k] / a[k * size + k];
      for (let c = k; c < size; c++) a[r * size + c] -= factor * a[k * size + c];
      for (let c = 0; c < width; c++) b[r * width + c] -= factor * b[k * width + c];
    }
  }
  for (let r = 0; r < size; r++) {
    for (let c = 0; c < width; c++) b[r * width + c] /= a[r * size + r];
  }
}

function swapRows(matrix, i, j, width) {
  for (let c = 0; i !== j && c < width; c++) {
    const kept = matrix[i * width + c];
    matrix[i * width + c] = matrix[j * width + c];
    matrix[j * width + c] = kept;
  }
}

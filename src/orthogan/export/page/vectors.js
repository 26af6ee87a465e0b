// The product of packed panels in WebAssembly, four numbers at a time, where the browser has it.
//
// It is assembled here, byte by byte, so that what runs can be read: no compiler stands between.
// Where there are no such instructions, `panelProduct` of products.js does the same in JavaScript.

const HEAP_BYTES = 1 << 26; // address space for panels; a system lends memory as it is touched

// Opcodes of WebAssembly and its vector extension (specification, sections 5.4 and 5.4.9).
const OP = {
  loop: [0x03, 0x40], end: [0x0b], repeatIf: [0x0d, 0], add: [0x6a], sub: [0x6b], mul: [0x6c],
  load: [0xfd, 0x00, 4], splat: [0xfd, 0x09, 2], store: [0xfd, 0x0b, 4],
  zero: [0xfd, 0x0c, ...new Array(16).fill(0)], addAll: [0xfd, 0xe4, 1], mulAll: [0xfd, 0xe6, 1],
};
const get = (local) => [0x20, local];
const set = (local) => [0x21, local];
const number = (value) => [0x41, value]; // below 64
const advance = (local, by) => [...get(local), ...by, ...OP.add, ...set(local)];
// The end of a loop that is run so many times more.
const again = (local) => [
  ...get(local), ...number(1), ...OP.sub, 0x22, local, ...OP.repeatIf, ...OP.end,
];

// product(a, b, c, rows, columns, depth): from `rows` panels of four rows and `columns` pairs of
// panels of four columns, in bytes from the start of memory, to a matrix row by row.
function productCode() {
  const [A, B, C, ROWS, COLUMNS, DEPTH, i, j, k, a, b, next, c, row] = Array(14).keys();
  const sums = [14, 15, 16, 17, 18, 19, 20, 21]; // four rows of two times four columns
  const [left, first, second] = [22, 23, 24];
  const times = [0, 1, 2, 3].flatMap((r) => [
    ...get(a), ...OP.splat, 4 * r, ...set(left),
    ...get(sums[r]), ...get(left), ...get(first), ...OP.mulAll, ...OP.addAll, ...set(sums[r]),
    ...get(sums[4 + r]), ...get(left), ...get(second), ...OP.mulAll, ...OP.addAll,
    ...set(sums[4 + r]),
  ]);
  const tile = [
    ...sums.flatMap((sum) => [...OP.zero, ...set(sum)]),
    ...get(A), ...set(a),
    ...get(b), ...get(DEPTH), ...number(16), ...OP.mul, ...OP.add, ...set(next),
    ...get(DEPTH), ...set(k), ...OP.loop,
    ...get(b), ...OP.load, 0, ...set(first), ...get(next), ...OP.load, 0, ...set(second),
    ...times,
    ...[a, b, next].flatMap((pointer) => advance(pointer, number(16))),
    ...again(k),
  ];
  const written = [0, 1, 2, 3].flatMap((r) => {
    const place = [...get(c), ...get(row), ...number(r), ...OP.mul, ...OP.add];
    return [...place, ...get(sums[r]), ...OP.store, 0, ...place, ...get(sums[4 + r]), ...OP.store, 16];
  });
  const body = [
    ...get(COLUMNS), ...number(32), ...OP.mul, ...set(row), ...get(ROWS), ...set(i), ...OP.loop,
    ...get(B), ...set(b), ...get(C), ...set(c), ...get(COLUMNS), ...set(j), ...OP.loop,
    ...tile, ...written, ...advance(c, number(32)), ...get(next), ...set(b), ...again(j),
    ...get(a), ...set(A), ...advance(C, [...get(row), ...number(4), ...OP.mul]), ...again(i),
    ...OP.end,
  ];
  // 8 whole numbers and 11 vectors beside the 6 arguments.
  return [2, 8, 0x7f, 11, 0x7b, ...body];
}

// A length as WebAssembly writes it: seven bits a byte, the lowest first.
function leb(value) {
  return value < 128 ? [value] : [(value & 127) | 128, ...leb(value >> 7)];
}

function productModule() {
  const name = (text) => [text.length, ...[...text].map((letter) => letter.charCodeAt(0))];
  const section = (kind, content) => [kind, ...leb(content.length), ...content];
  const code = productCode();
  return Uint8Array.from([
    0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
    ...section(1, [1, 0x60, 6, ...new Array(6).fill(0x7f), 0]),
    ...section(2, [1, ...name("page"), ...name("memory"), 2, 0, 1]),
    ...section(3, [1, 0]),
    ...section(7, [1, ...name("product"), 0, 0]),
    ...section(10, [1, ...leb(code.length), ...code]),
  ]);
}

// The memory that panels lie in, and what multiplies them; null where there are no vectors.
class VectorHeap {
  static create() {
    try {
      const memory = new WebAssembly.Memory({ initial: HEAP_BYTES >> 16 });
      const code = new WebAssembly.Module(productModule());
      const instance = new WebAssembly.Instance(code, { page: { memory } });
      return new VectorHeap(memory.buffer, instance.exports.product);
    } catch {
      return null;
    }
  }

  constructor(buffer, product) {
    this.buffer = buffer;
    this.product = product;
    this.used = 16;
    this.result = null;
  }

  // An array in this memory, or null if it is full.
  array(size) {
    const at = this.used;
    if (at + 4 * size > this.buffer.byteLength) return null;
    this.used = (at + 4 * size + 15) & ~15;
    return new Float32Array(this.buffer, at, size);
  }

  // Room for a product, the same for all: they are done one after the other.
  resultOf(size) {
    if (this.result === null || this.result.length < size) this.result = this.array(size);
    return this.result;
  }

  holds(...arrays) {
    return arrays.every((array) => array.buffer === this.buffer);
  }
}

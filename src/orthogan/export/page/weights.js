// The numbers of a program from the text that they are stored as.

function bytesOf(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

// Arrays by step, or by name. Each is stored as float32, or as 16-bit integers with a float32
// scale for each row.
function constantsOf(stored, base64) {
  const { buffer } = bytesOf(base64);
  const constants = {};
  for (const { key, form, at, rows, columns } of stored) {
    const size = rows * columns;
    if (form === "float32") {
      constants[key] = new Float32Array(buffer, at, size);
      continue;
    }
    const scales = new Float32Array(buffer, at, rows);
    const whole = new Int16Array(buffer, at + 4 * rows, size);
    const array = new Float32Array(size);
    for (let row = 0, i = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++, i++) array[i] = whole[i] * scales[row];
    }
    constants[key] = array;
  }
  return constants;
}

// Images on canvases.

function paint(canvas, bytes, size) {
  canvas.width = size;
  canvas.height = size;
  canvas.getContext("2d").putImageData(new ImageData(bytes, size, size), 0, 0);
}

// Offers a canvas as a file.
function saveCanvas(canvas, name) {
  canvas.toBlob((blob) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
}

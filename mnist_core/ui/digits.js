// Digits as the server sends them, and in ink on a canvas. Put before the scripts that draw them.

const SIDE = 28; // pixels of a digit
const ATLAS = 64; // digits in a row of the atlas

async function inflate(base64) {
  const packed = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** All digits at their own size, in ink on nothing, on a canvas to copy from. */
function atlasOf(pixels, count, ink) {
  const columns = Math.min(count, ATLAS);
  const image = new ImageData(SIDE * columns, SIDE * Math.ceil(count / columns));
  for (let row = 0, next = 0; row < count * SIDE; row++) {
    const digit = Math.floor(row / SIDE);
    const y = Math.floor(digit / columns) * SIDE + (row % SIDE);
    const start = y * image.width + (digit % columns) * SIDE;
    for (let x = 0; x < SIDE; x++) image.data[4 * (start + x) + 3] = pixels[next++];
  }
  const { width, height } = image;
  const atlas = Object.assign(document.createElement("canvas"), { width, height });
  const context = atlas.getContext("2d");
  context.putImageData(image, 0, 0);
  context.globalCompositeOperation = "source-in"; // colours what is there, as opaque as it is
  context.fillStyle = ink;
  context.fillRect(0, 0, width, height);
  return atlas;
}

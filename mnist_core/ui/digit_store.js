// Receives many digits once and keeps them for the charts of this window, under their token.

export default function ({ data }) {
  const store = (window.__mnistLabDigits ??= new Map());
  if (store.has(data.token)) return;
  const { token, images, captions } = data;
  store.set(
    token,
    inflate(images).then((pixels) => ({ pixels, captions })),
  );
}

/** A part of a multipart body with the boundary `b`, as it is on the line. */
export function part(headers: readonly string[], bytes: Buffer, boundary = 'b'): Buffer {
  const head = `--${boundary}\r\n${headers.map((header) => `${header}\r\n`).join('')}\r\n`;
  return Buffer.concat([Buffer.from(head), bytes, Buffer.from('\r\n')]);
}

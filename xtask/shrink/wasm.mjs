// Reads and writes the few parts of the wasm binary format that this folder needs.
export const SECTION = { custom: 0, import: 2, export: 7, code: 10 };

/** The sections of a module in order, as { id, body }. */
export function* sections(bytes) {
  for (let at = 8; at < bytes.length; ) {
    const size = number(bytes, at + 1);
    yield { id: bytes[at], body: bytes.subarray(size.end, size.end + size.value) };
    at = size.end + size.value;
  }
}

export function section(id, content) {
  return Buffer.concat([Buffer.from([id]), leb(content.length), content]);
}

/** The imports of an import section, as { module, field, kind, type } with the type as it is encoded. */
export function* importsOf(body) {
  const count = number(body, 0);
  let at = count.end;
  for (let index = 0; index < count.value; index++) {
    const module = string(body, at);
    const field = string(body, module.end);
    const end = afterType(body, field.end);
    yield { module: module.value, field: field.value, kind: body[field.end], type: body.subarray(field.end, end) };
    at = end;
  }
}

// The end of an import's kind and type.
function afterType(body, at) {
  const limits = (start) => {
    const low = number(body, start + 1);
    return body[start] & 1 ? number(body, low.end).end : low.end;
  };
  switch (body[at]) {
    case 0: return number(body, at + 1).end;
    case 1: return limits(at + 2);
    case 2: return limits(at + 1);
    case 3: return at + 3;
    default: throw new Error(`an import of kind ${body[at]}, which this script does not know`);
  }
}

export function number(bytes, at) {
  let value = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++];
    value += (byte & 127) * 2 ** shift;
    if (byte < 128) return { value, end: at };
  }
}

export function string(bytes, at) {
  const length = number(bytes, at);
  return { value: bytes.toString("utf8", length.end, length.end + length.value), end: length.end + length.value };
}

export function leb(value) {
  const bytes = [];
  do {
    bytes.push((value & 127) | (value > 127 ? 128 : 0));
    value >>>= 7;
  } while (value > 0);
  return Buffer.from(bytes);
}

export function encoded(text) {
  const bytes = Buffer.from(text);
  return Buffer.concat([leb(bytes.length), bytes]);
}

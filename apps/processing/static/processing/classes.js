// The colour of a class, as apps/processing/classes.py has it: its place in the app's list, else by the hash of its
// name (FNV-1a of its UTF-8).
const HUES = 12;

export function hueOf(label, hues) {
  if (Object.hasOwn(hues, label)) return hues[label];
  let value = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(label)) value = Math.imul(value ^ byte, 0x01000193) >>> 0;
  return (value % HUES) + 1;
}

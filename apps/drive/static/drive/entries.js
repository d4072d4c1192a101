// Files out of a drop or a file field, each with its path: [{file, path}].
const JUNK = new Set(["thumbs.db", "desktop.ini", "icon\r"]);

// What systems put into folders for themselves is nobody's photo. A file chosen by itself is always tried.
const isJunk = (path) => {
  const name = path.split("/").pop().toLowerCase();
  return path.includes("/") && (name.startsWith(".") || JUNK.has(name));
};

const fileOf = (entry) => new Promise((resolve, reject) => entry.file(resolve, reject));

async function childrenOf(entry) {
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject)); // 100 at most
    if (!some.length) return found;
    found.push(...some);
  }
}

async function* walk(entry) {
  if (entry.isFile) {
    yield { file: await fileOf(entry), path: entry.fullPath.replace(/^\//, "") };
    return;
  }
  for (const child of await childrenOf(entry)) yield* walk(child);
}

export async function fromDrop(transfer) {
  // Entries must be taken before the first await: the list is emptied when the event ends.
  const entries = [...transfer.items].filter((item) => item.kind === "file").map((item) => item.webkitGetAsEntry?.());
  if (entries.some((entry) => !entry)) return fromFiles(transfer.files);
  const found = [];
  for (const entry of entries) for await (const item of walk(entry)) found.push(item);
  return found.filter(({ path }) => !isJunk(path));
}

export const fromFiles = (files) =>
  [...files].map((file) => ({ file, path: file.webkitRelativePath || file.name })).filter(({ path }) => !isJunk(path));

// The same calls for a terminal.

/** Quoted for a POSIX shell. */
const quote = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

const AUTH = `-H 'Authorization: Bearer TOKEN'`;

export function previewCall(config, photo, params) {
  const rich = config.outputs.length > 1;
  const source = photo?.id ? `image=${photo.id}` : `file=@${photo?.name ?? "photo.jpg"}`;
  return [
    `curl ${AUTH} -H 'Accept: ${rich ? "application/json" : "image/*"}'`,
    `-F ${quote(source)}`,
    `-F ${quote(`params=${JSON.stringify(params)}`)}`,
    `${rich ? "" : "-o result "}${location.origin}/api/v1/apps/${config.app}/preview`,
  ].join(" \\\n  ");
}

export function jobCall(body) {
  return `curl ${AUTH} -H 'Content-Type: application/json' \\\n  -d ${quote(JSON.stringify(body))} \\\n  ${location.origin}/api/v1/jobs`;
}

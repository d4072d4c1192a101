// The way to more credits and back to this page, as it is now.

/** Where to top up; `missing` presets the amount. */
export function topupAddress(missing = 0) {
  const query = new URLSearchParams({ next: location.pathname + location.search });
  if (missing > 0) query.set("credits", missing);
  return `/wallet/top-up/?${query}`;
}

/** Show `link` where an error of the API is one that credits would end, with what is missing filled in. */
export function offerTopup(link, error) {
  link.hidden = error?.code !== "insufficient_credits" && error?.code !== "in_debt";
  if (link.hidden) return;
  const [told] = error.fields?.missing ?? error.fields?.debt ?? [];
  link.href = topupAddress(Number(told) || 0);
}

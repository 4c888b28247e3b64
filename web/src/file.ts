// Where the page begins. In a file, data and blocks stand in elements of the same document; of a
// server, there are none.

import { blocksOf } from "./blocks";
import type { Page } from "./document";
import { live } from "./live";
import { setLang } from "./i18n";
import { Carried } from "./network/answering";
import type { StoredPlot } from "./plots/data";
import { inset } from "./plots/inset";
import { preferred, render } from "./render";

const FORMAT = 1;

function checked<T extends { format: number }>(data: T): T {
  if (data.format !== FORMAT) throw new Error(`this page reads format ${FORMAT}, and its data are of format ${data.format}`);
  return data;
}

const el = document.getElementById("regard");
const data = document.getElementById("regard-data");
if (el && data) {
  const page = checked(JSON.parse(data.textContent ?? "") as Page);
  const blocks = document.querySelectorAll('script[type="application/octet-stream;base91"]');
  const read = blocksOf(blocks);
  const [first] = page.documents;
  const answers = first.network ? new Carried(first.network, first, read) : null;
  render({ model: { page, read, link: window.top === window, answers }, el });
} else if (el && "live" in el.dataset) void live(el);

const places = document.querySelectorAll<HTMLElement>("[data-regard]");
if (places.length && !el) setLang(preferred());
places.forEach((place, n) => {
  const given = place.nextElementSibling?.textContent ?? "";
  inset(place, checked(JSON.parse(given) as StoredPlot), n === 0 && !el);
});

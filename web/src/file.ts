// Where the page begins. In a file, data and blocks stand in elements of the same document; of a
// server, there are none.

import { blocksOf } from "./blocks";
import type { Page } from "./document";
import { live } from "./live";
import { Carried } from "./network/answering";
import { render } from "./render";

const FORMAT = 1;
const el = document.getElementById("regard");
const data = document.getElementById("regard-data");
if (el && data) {
  const page = JSON.parse(data.textContent ?? "") as Page;
  if (page.format !== FORMAT) throw new Error(`this page reads format ${FORMAT}, and its data are of format ${page.format}`);
  const blocks = document.querySelectorAll('script[type="application/octet-stream;base91"]');
  const read = blocksOf(blocks);
  const [first] = page.documents;
  const answers = first.network ? new Carried(first.network, first, read) : null;
  render({ model: { page, read, link: window.top === window, answers }, el });
} else if (el && "live" in el.dataset) void live(el);

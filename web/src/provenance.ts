import type { Doc } from "./model";
import { percent, said } from "./dom";
import { counted, t } from "./i18n";
import { isChanged } from "./parts";
import type { State } from "./state";

/** Where the numbers on screen come from, and how exact they are: always said. */
export function provenance(doc: Doc, state: State): { source: [string, string][]; exact: string; changed: boolean } {
  const layer = doc.layers[Number(state.layer)] ?? doc.layers[doc.stacks[state.stack].layers[0]];
  const { stored } = layer;
  const { about } = doc.stored;
  const parts = Object.entries(stored.mechanism).filter(([role, part]) => part && role !== "dtype").map(([, part]) => part);
  const source: [string, string][] = [];
  if (about.model) source.push([t("model"), about.model]);
  if (about.checkpoint) source.push([t("checkpoint"), about.checkpoint]);
  source.push([t("layer"), stored.call ? `${stored.name} (${stored.call})` : stored.name]);
  if (parts.length) source.push([t("mechanism"), parts.join(" · ")]);
  if (stored.dtype) source.push(["dtype", stored.dtype]);
  if (stored.provenance) source.push([t("source"), stored.provenance]);
  return { source, exact: exactness(doc, state), changed: isChanged(state.change) };
}

function exactness(doc: Doc, state: State): string {
  const matrix = /^m\d+$/.test(state.layer) ? doc.stored.matrices[Number(state.layer.slice(1))] : null;
  if (matrix) return t("stored", { levels: matrix.levels + 1, error: said(matrix.error, 4) });
  const layer = doc.layers[Number(state.layer)] ?? doc.layers[doc.stacks[state.stack].layers[0]];
  const { weights, parts } = layer.stored;
  const computed = () => {
    const measured = parts?.error;
    const how = t(parts?.bits === 8 ? "recomputed_bytes" : parts?.bits === 32 ? "recomputed_single" : "recomputed");
    return measured != null ? `${how}; ${t("measured_error", { error: said(measured, 4) })}` : how;
  };
  if (isChanged(state.change)) return computed();
  if (weights.kind === "full") return t("stored", { levels: weights.levels + 1, error: said(weights.error, 4) });
  if (weights.kind === "computed") return computed();
  const said1 = layer.hasRows ? computed()
    : weights.top ? counted("top", weights.top.count, { covered: percent(weights.top.covered) })
    : t("overview_only", { side: weights.overview.most.shape[1] });
  return weights.step > 1 ? `${said1}; ${t("overview_some", { step: weights.step })}` : said1;
}
